// Reads the metadata of an ONNX file, which onnxruntime-web does not expose: field 14 of its protobuf message contains pairs of key
// and value (onnx.proto, ModelProto.metadata_props). All other fields are skipped.

/** { key: value } */
export function readMetadata(bytes) {
  const found = {};
  for (const { field, part } of fieldsOf(bytes)) {
    if (field !== 14) continue;
    const entry = Object.fromEntries(
      [...fieldsOf(part)].map(({ field, part }) => [field, new TextDecoder().decode(part)]),
    );
    found[entry[1]] = entry[2];
  }
  return found;
}

/** The fields of a message that are bytes, text or messages themselves. */
function* fieldsOf(bytes) {
  let at = 0;
  const number = () => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[at++];
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const tag = number();
    const kind = tag % 8;
    if (kind === 0) number();
    else if (kind === 1) at += 8;
    else if (kind === 5) at += 4;
    else if (kind === 2) {
      const length = number();
      yield { field: Math.floor(tag / 8), part: bytes.subarray(at, at + length) };
      at += length;
    } else throw new Error("this is no ONNX file");
  }
}
