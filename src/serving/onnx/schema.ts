// The part of onnx.proto (github.com/onnx/onnx, onnx/onnx.proto) that an exported model needs, and its bytes.

import { field, many, type ProtobufField } from "../../core/protobuf-fields.js";
import { Turns } from "../../core/turns.js";

/** TensorProto.DataType */
export const dataTypes = { float32: 1, int8: 3, int16: 5, int32: 6, int64: 7, bool: 9, float16: 10 } as const;
export type DataType = keyof typeof dataTypes;

export interface TensorProto {
  readonly dims: readonly number[];
  readonly dataType: number;
  readonly name?: string;
  readonly rawData: Uint8Array;
}

/** AttributeProto, by type. */
export type Attribute = { readonly name: string } & (
  | { readonly type: 1; readonly f: number }
  | { readonly type: 2; readonly i: number }
  | { readonly type: 3; readonly s: Uint8Array }
  | { readonly type: 4; readonly t: TensorProto }
  | { readonly type: 7; readonly ints: readonly number[] }
);

export interface NodeProto {
  readonly input: readonly string[];
  readonly output: readonly string[];
  readonly name: string;
  readonly opType: string;
  readonly attribute: readonly Attribute[];
}

export interface ValueInfo {
  readonly name: string;
  readonly docString: string;
  readonly type: {
    readonly tensorType: {
      readonly elemType: number;
      readonly shape: { readonly dim: readonly ({ dimValue: number } | { dimParam: string })[] };
    };
  };
}

export interface ModelProto {
  readonly irVersion: number;
  readonly opsetImport: readonly { readonly domain: string; readonly version: number }[];
  readonly producerName: string;
  readonly producerVersion: string;
  readonly docString: string;
  readonly graph: {
    readonly node: readonly NodeProto[];
    readonly name: string;
    readonly initializer: readonly TensorProto[];
    readonly input: readonly ValueInfo[];
    readonly output: readonly ValueInfo[];
  };
  readonly metadataProps: readonly { readonly key: string; readonly value: string }[];
}

const messages: Record<string, { fields: Record<string, ProtobufField> }> = {
  ModelProto: {
    fields: {
      irVersion: field("int64", 1),
      opsetImport: many("OperatorSetId", 8),
      producerName: field("string", 2),
      producerVersion: field("string", 3),
      docString: field("string", 6),
      graph: field("GraphProto", 7),
      metadataProps: many("StringStringEntry", 14),
    },
  },
  OperatorSetId: { fields: { domain: field("string", 1), version: field("int64", 2) } },
  StringStringEntry: { fields: { key: field("string", 1), value: field("string", 2) } },
  GraphProto: {
    fields: {
      node: many("NodeProto", 1),
      name: field("string", 2),
      initializer: many("TensorProto", 5),
      input: many("ValueInfo", 11),
      output: many("ValueInfo", 12),
    },
  },
  NodeProto: {
    fields: {
      input: many("string", 1),
      output: many("string", 2),
      name: field("string", 3),
      opType: field("string", 4),
      attribute: many("Attribute", 5),
    },
  },
  Attribute: {
    fields: {
      name: field("string", 1),
      f: field("float", 2),
      i: field("int64", 3),
      s: field("bytes", 4),
      t: field("TensorProto", 5),
      ints: many("int64", 8),
      type: field("int32", 20),
    },
  },
  TensorProto: {
    fields: {
      dims: many("int64", 1),
      dataType: field("int32", 2),
      name: field("string", 8),
      rawData: field("bytes", 9),
    },
  },
  ValueInfo: {
    fields: { name: field("string", 1), type: field("TypeProto", 2), docString: field("string", 3) },
  },
  TypeProto: { fields: { tensorType: field("TensorType", 1) } },
  TensorType: { fields: { elemType: field("int32", 1), shape: field("TensorShape", 2) } },
  TensorShape: { fields: { dim: many("Dimension", 1) } },
  Dimension: { fields: { dimValue: field("int64", 1), dimParam: field("string", 2) } },
};

/** Bytes copied between two checks of the clock. */
const COPIED_AT_ONCE = 2 ** 22;

/**
 * The bytes of a model. protobufjs would copy the weights several times in one turn of the event loop, so it encodes
 * everything else and the weights are inserted here. Fields are in the order of their numbers.
 */
export async function encodeModel(model: ModelProto): Promise<Uint8Array> {
  const { default: protobuf } = await import("protobufjs/light.js");
  const root = protobuf.Root.fromJSON({ nested: messages });
  const encode = (type: string, message: object) =>
    root
      .lookupType(type)
      .encode(message as Record<string, unknown>)
      .finish();
  /** The tag and length before a field of `length` bytes. */
  const before = (id: number, length: number) =>
    protobuf.Writer.create()
      .uint32((id << 3) | 2)
      .uint32(length)
      .finish();
  const bytesIn = (pieces: readonly Uint8Array[]) => pieces.reduce((sum, { length }) => sum + length, 0);
  const inside = (id: number, pieces: Uint8Array[]) => [before(id, bytesIn(pieces)), ...pieces];

  const { graph, opsetImport, metadataProps, ...head } = model;
  const { initializer, input, output, ...nodes } = graph;
  const weights = initializer.flatMap(({ rawData, ...described }) =>
    inside(5, [encode("TensorProto", described), before(9, rawData.length), rawData]),
  );
  const pieces = [
    encode("ModelProto", head),
    ...inside(7, [encode("GraphProto", nodes), ...weights, encode("GraphProto", { input, output })]),
    encode("ModelProto", { opsetImport, metadataProps }),
  ];
  const bytes = new Uint8Array(bytesIn(pieces));
  const turns = new Turns();
  let at = 0;
  for (const piece of pieces)
    for (let from = 0; from < piece.length; from += COPIED_AT_ONCE) {
      if (turns.due) await turns.yield();
      const part = piece.subarray(from, from + COPIED_AT_ONCE);
      bytes.set(part, at);
      at += part.length;
    }
  return bytes;
}
