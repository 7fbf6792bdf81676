// Fields of protocol buffer messages, in the JSON form that protobufjs reads.

export interface ProtobufField {
  readonly type: string;
  readonly id: number;
  readonly rule?: "repeated";
}

export const field = (type: string, id: number): ProtobufField => ({ type, id });
export const many = (type: string, id: number): ProtobufField => ({ type, id, rule: "repeated" });
