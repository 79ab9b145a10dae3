// Bodies of forms with files.

/** A form of these fields; a buffer becomes a file. */
export function multipart(fields) {
  const boundary = 'forebay-compat-boundary';
  const parts = [];
  for (const [name, value] of Object.entries(fields)) {
    const isFile = Buffer.isBuffer(value);
    const file = isFile ? `; filename="${name}.bin"\r\nContent-Type: application/octet-stream` : '';
    parts.push(Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; name="${name}"${file}\r\n\r\n`));
    parts.push(Buffer.from(value), Buffer.from('\r\n'));
  }
  parts.push(Buffer.from(`--${boundary}--\r\n`));
  return { body: Buffer.concat(parts), headers: { 'Content-Type': `multipart/form-data; boundary=${boundary}` } };
}
