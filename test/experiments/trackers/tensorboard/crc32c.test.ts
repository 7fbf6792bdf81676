import { expect, it } from "vitest";
import { crc32c, maskedCrc32c } from "../../../../src/experiments/trackers/tensorboard/crc32c.js";

// RFC 3720, appendix B.4, and the check value of the CRC catalogues.
it.each([
  ["the digits 1 to 9", Buffer.from("123456789"), 0xe3069283],
  ["32 bytes of zeros", new Uint8Array(32), 0x8a9136aa],
  ["32 bytes of ones", new Uint8Array(32).fill(0xff), 0x62a8ab43],
  ["32 bytes that increase", Uint8Array.from({ length: 32 }, (_, k) => k), 0x46dd794e],
  ["32 bytes that decrease", Uint8Array.from({ length: 32 }, (_, k) => 31 - k), 0x113fdb5c],
  ["no bytes", new Uint8Array(0), 0],
])("the checksum of %s is that of the standard", (_, bytes, expected) => {
  expect(crc32c(bytes)).toBe(expected);
});

it("a masked checksum is that with which every event file of TensorFlow begins: a record of 24 bytes", () => {
  expect(maskedCrc32c(Uint8Array.of(24, 0, 0, 0, 0, 0, 0, 0))).toBe(0x224b7fa3);
});
