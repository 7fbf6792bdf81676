// biome-ignore-all lint/suspicious/noControlCharactersInRegex: the first bytes of files are full of them.

// Recognises files that are not supported tables by their first bytes: archives, workbooks, databases, web pages. Error
// messages name the kind of file and never show its bytes.

import { UserError } from "../../core/errors.js";

interface Foreign {
  /** "a zip archive". */
  readonly what: string;
  /** What to do with it; `name` is the file's name, quoted for a shell. */
  readonly remedy?: (name: string) => string;
}

const unpack = (program: string) => (name: string) => `Unpack it first: ${program} ${name}`;
const saveAsCsv = () => "Open it and save the sheet as CSV (UTF-8)";
const convert = () => "Convert it to CSV or Parquet first";
const again = () => "Open it in a text editor to see why, then download the file again";

/** Patterns of a file's first bytes, read as latin-1. */
const signatures: readonly (Foreign & { looks: RegExp })[] = [
  { looks: /^\xfd7zXZ\0/, what: "xz data", remedy: unpack("xz -d -k") },
  { looks: /^\x28\xb5\x2f\xfd/, what: "Zstandard data", remedy: unpack("zstd -d") },
  // "BZh", a level, and the magic number of a block or of the end of the stream.
  { looks: /^BZh[1-9](?:1AY&SY|\x17rE8P\x90)/, what: "bzip2 data", remedy: unpack("bzip2 -d -k") },
  { looks: /^7z\xbc\xaf\x27\x1c/, what: "a 7z archive", remedy: unpack("7z x") },
  { looks: /^Rar!\x1a\x07/, what: "a RAR archive", remedy: unpack("unrar x") },
  { looks: /^\x04\x22\x4d\x18/, what: "lz4 data", remedy: unpack("lz4 -d") },
  { looks: /^\x1f\x9d/, what: "compress data (.Z)", remedy: unpack("uncompress") },
  { looks: /^LZIP[\x00\x01]/, what: "lzip data", remedy: unpack("lzip -d -k") },
  { looks: /^\xff\x06\0\0sNaPpY/, what: "snappy data", remedy: convert },
  { looks: /^[\s\S]{257}ustar(?:\0| {2}\0)/, what: "a tar archive", remedy: unpack("tar xf") },
  { looks: /^SQLite format 3\0/, what: "a SQLite database", remedy: convert },
  {
    looks: /^\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1/,
    what: "an Excel workbook (.xls) or another old Office document",
    remedy: saveAsCsv,
  },
  { looks: /^%PDF-/, what: "a PDF document" },
  { looks: /^\{\\rtf/, what: "an RTF document" },
  { looks: /^\x89PNG\r\n/, what: "a PNG image" },
  { looks: /^\xff\xd8\xff/, what: "a JPEG image" },
  { looks: /^GIF8[79]a/, what: "a GIF image" },
  { looks: /^\x93NUMPY/, what: "a NumPy array (.npy)" },
  { looks: /^\x89HDF\r\n/, what: "an HDF5 file", remedy: convert },
  { looks: /^ARROW1\0\0/, what: "an Arrow (Feather) file", remedy: convert },
  { looks: /^FEA1[^\x20-\x7e]/, what: "a Feather file", remedy: convert },
  { looks: /^ORC[\x00-\x08\x0e-\x1f\x80-\xff]/, what: "an ORC file", remedy: convert },
  { looks: /^Obj\x01/, what: "an Avro file", remedy: convert },
  { looks: /^PARE/, what: "an encrypted Parquet file" },
  { looks: /^\x7fELF/, what: "a program" },
  { looks: /^bplist00/, what: "a property list" },
  // The protocol of a pickle, then a typical first opcode.
  { looks: /^\x80[\x02-\x05][\]}(ctc\x95]/, what: "a Python pickle", remedy: convert },
  {
    looks: /^version https:\/\/git-lfs/,
    what: "a Git LFS pointer, not the file itself",
    remedy: () => "Fetch the file with git lfs pull",
  },
  {
    looks: /^(?:\xef\xbb\xbf)?\s*<(?:!doctype html|html|head|body|script|!--)/i,
    what: "a web page (HTML), perhaps an error page of the server",
    remedy: again,
  },
  { looks: /^(?:\xef\xbb\xbf)?\s*<\?xml/, what: "an XML document", remedy: convert },
];

/** Throws UserError for a file that is not a table. `head`: its first bytes, decompressed. */
export function refuseForeign(file: string, head: Uint8Array, gzipped: boolean): void {
  const bytes = Buffer.from(head.buffer, head.byteOffset, Math.min(head.length, 4096)).toString("latin1");
  const foreign =
    signatures.find(({ looks }) => looks.test(bytes)) ??
    zipOf(file, bytes) ??
    (gzipped ? gzippedTwice(bytes) : undefined);
  if (foreign === undefined) return;
  const { what, remedy } = foreign;
  throw new UserError({
    place: file,
    problem: `this is ${what}${gzipped ? ", gzipped" : ""}`,
    expected: "CSV, TSV or JSON lines, gzipped or not, or Parquet",
    remedy: remedy?.(shellName(file)),
  });
}

function zipOf(file: string, bytes: string): Foreign | undefined {
  if (!/^PK(?:\x03\x04|\x05\x06|\x07\x08)/.test(bytes)) return undefined;
  if (/\.xls[xmb]$/i.test(file) || /\[Content_Types\]\.xml|_rels\/\.rels|xl\/|docProps\//.test(bytes))
    return { what: "an Excel workbook (.xlsx) or another Office document", remedy: saveAsCsv };
  if (bytes.includes("mimetypeapplication/vnd.oasis"))
    return { what: "an OpenDocument spreadsheet or text", remedy: saveAsCsv };
  return { what: "a zip archive", remedy: unpack("unzip") };
}

function gzippedTwice(bytes: string): Foreign | undefined {
  if (bytes.startsWith("\x1f\x8b")) return { what: "gzip data", remedy: unpack("gunzip") };
  return bytes.startsWith("PAR1") ? { what: "a Parquet file", remedy: unpack("gunzip") } : undefined;
}

/** A file name quoted for a shell. */
function shellName(file: string): string {
  const name = file.startsWith("-") ? `./${file}` : file;
  return /^[\w./,@%+=:-]+$/.test(name) ? name : `'${name.replaceAll("'", "'\\''")}'`;
}
