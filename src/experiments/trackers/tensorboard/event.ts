// The part of TensorFlow's event.proto, summary.proto and the hparams plugin's messages that TensorBoard needs, and a record of a
// TFRecord file: its length (uint64), the checksum of the length, the event, the checksum of the event.

import { field, many } from "../../../core/protobuf-fields.js";
import { maskedCrc32c } from "./crc32c.js";

/** A value of a summary: a number, or a text or settings for a plugin of TensorBoard. */
export interface SummaryValue {
  readonly tag: string;
  readonly simpleValue?: number;
  readonly metadata?: {
    readonly pluginData: { readonly pluginName: string; readonly content?: Uint8Array };
    /** 2 = tensors, such as texts. */
    readonly dataClass?: number;
  };
  readonly tensor?: {
    /** 1 = float, 7 = text. */
    readonly dtype: number;
    readonly tensorShape: { readonly dim: readonly { readonly size: number }[] };
    readonly floatVal?: readonly number[];
    readonly stringVal?: readonly Uint8Array[];
  };
}

/** An event; `wallTime` is in seconds since 1970. */
export interface Event {
  readonly wallTime: number;
  readonly step?: number;
  readonly fileVersion?: string;
  readonly summary?: { readonly value: readonly SummaryValue[] };
  /** status 1 = a session starts here: TensorBoard drops what earlier files have from this step on. */
  readonly sessionLog?: { readonly status: number };
}

/** A setting of a run in the hparams plugin (google.protobuf.Value). */
type Setting = { numberValue: number } | { boolValue: boolean } | { stringValue: string };

/** HParamsPluginData */
export interface HparamsData {
  readonly version: number;
  readonly sessionStartInfo?: {
    readonly hparams: Readonly<Record<string, Setting>>;
    readonly groupName: string;
    readonly startTimeSecs: number;
  };
  /** status 1 = success, 2 = failure. */
  readonly sessionEndInfo?: { readonly status: number; readonly endTimeSecs: number };
}

const messages = {
  Event: {
    fields: {
      wallTime: field("double", 1),
      step: field("int64", 2),
      fileVersion: field("string", 3),
      summary: field("Summary", 5),
      sessionLog: field("SessionLog", 7),
    },
  },
  SessionLog: { fields: { status: field("int32", 1) } },
  Summary: { fields: { value: many("SummaryValue", 1) } },
  SummaryValue: {
    fields: {
      tag: field("string", 1),
      simpleValue: field("float", 2),
      tensor: field("TensorProto", 8),
      metadata: field("SummaryMetadata", 9),
    },
  },
  SummaryMetadata: { fields: { pluginData: field("PluginData", 1), dataClass: field("int32", 4) } },
  PluginData: { fields: { pluginName: field("string", 1), content: field("bytes", 2) } },
  TensorProto: {
    fields: {
      dtype: field("int32", 1),
      tensorShape: field("TensorShape", 2),
      floatVal: many("float", 5),
      stringVal: many("bytes", 8),
    },
  },
  TensorShape: { fields: { dim: many("Dimension", 2) } },
  Dimension: { fields: { size: field("int64", 1) } },
  HparamsData: {
    fields: {
      version: field("int32", 1),
      sessionStartInfo: field("SessionStart", 3),
      sessionEndInfo: field("SessionEnd", 4),
    },
  },
  SessionStart: {
    fields: {
      hparams: { keyType: "string", type: "Setting", id: 1 },
      groupName: field("string", 4),
      startTimeSecs: field("double", 5),
    },
  },
  SessionEnd: { fields: { status: field("int32", 1), endTimeSecs: field("double", 2) } },
  Setting: {
    oneofs: { kind: { oneof: ["numberValue", "stringValue", "boolValue"] } },
    fields: { numberValue: field("double", 2), stringValue: field("string", 3), boolValue: field("bool", 4) },
  },
};

/** Encodes events and settings. */
export interface Encoder {
  event(event: Event): Uint8Array;
  hparams(data: HparamsData): Uint8Array;
}

/** Loads the encoder. */
export async function eventEncoder(): Promise<Encoder> {
  const { default: protobuf } = await import("protobufjs/light.js");
  const root = protobuf.Root.fromJSON({ nested: messages });
  const encode = (type: string, message: object) =>
    root
      .lookupType(type)
      .encode(message as Record<string, unknown>)
      .finish();
  return { event: (event) => encode("Event", event), hparams: (data) => encode("HparamsData", data) };
}

/** The bytes of a record with this data. */
export function recordOf(data: Uint8Array): Uint8Array {
  const record = Buffer.alloc(16 + data.length);
  record.writeBigUInt64LE(BigInt(data.length), 0);
  record.writeUInt32LE(maskedCrc32c(record.subarray(0, 8)), 8);
  record.set(data, 12);
  record.writeUInt32LE(maskedCrc32c(data), 12 + data.length);
  return record;
}
