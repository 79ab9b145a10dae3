// Checks of uploads with busboy.
import { multipart } from './form.mjs';
import { once } from './lib.mjs';

export default async function (t) {
  await t.ask('fields', 'POST', '/', { ...multipart({ a: '1', b: '' }), contains: '["b",""]' });
  await t.ask('a file of 20 MB', 'POST', '/', { ...multipart({ file: Buffer.alloc(20_000_000, 'abcdefg') }), contains: '20000000' });
  await t.check('a file in small pieces', async () => {
    const { body, headers } = multipart({ file: Buffer.alloc(50_000, 'x') });
    const request = t.open('POST', '/', headers);
    const answered = once(request, 'response');
    for (let at = 0; at < body.length; at += 1000) {
      request.write(body.subarray(at, at + 1000));
      await new Promise(setImmediate);
    }
    request.end();
    const response = await answered;
    t.head(response);
    t.note(await t.until(response, ']]'));
  });
  await t.ask('an incomplete form', 'POST', '/', { headers: { 'Content-Type': 'multipart/form-data; boundary=b' }, body: '--b\r\n', expect: 400 });
}
