// Checks of uploads with multer.
import { multipart } from './form.mjs';

export default async function (t) {
  const large = Buffer.alloc(6 << 20, 'forebay\r\n--');
  await t.ask('fields and files', 'POST', '/memory', {
    ...multipart({ name: 'ü', one: Buffer.from('first'), two: Buffer.alloc(100_000, 2) }),
    contains: '"size":100000',
  });
  await t.ask('a large file in memory', 'POST', '/memory', { ...multipart({ file: large }), contains: String(6 << 20) });
  await t.ask('a large file on disk', 'POST', '/disk', { ...multipart({ file: large }), contains: String(6 << 20) });
  await t.ask('an empty file', 'POST', '/disk', { ...multipart({ file: Buffer.alloc(0) }), contains: '"size":0' });
  await t.ask('too large', 'POST', '/memory', { ...multipart({ file: Buffer.alloc(9 << 20) }), expect: 400, contains: 'LIMIT_FILE_SIZE' });
  await t.ask('an unexpected file', 'POST', '/disk', { ...multipart({ other: Buffer.from('x') }), expect: 400 });
  await t.check('eight at once', async () => {
    const one = (i) => t.send('POST', '/memory', { ...multipart({ n: String(i), file: Buffer.alloc(200_000, i) }), quiet: true });
    const all = await Promise.all(Array.from({ length: 8 }, (_, i) => one(i)));
    t.note(all.map(({ text }) => JSON.parse(text).files[0].sha1).join(' '));
  });
}
