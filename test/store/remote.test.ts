/** `ringtap query --url` asks a gateway and finds what `--store` finds. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ringtap, startGateway } from '../server/helpers.js';
import { index, pcapngKeys, record, scratch } from './help.js';

test('the command and a gateway agree', async () => {
  const directory = scratch();
  record(directory, 'seed=7,size=mix,flows=300,count=9000,pps=0');
  await index(directory);
  const { app, port } = await startGateway({ store: [directory] });
  const url = `http://127.0.0.1:${port}`;
  try {
    for (const filter of ['udp', 'host 10.2.0.7', 'host 192.0.2.1']) {
      const local = await ringtap(['query', '--store', directory, '-f', filter]);
      const remote = await ringtap(['query', '--url', url, '-f', filter]);
      assert.is(remote.code, 0, remote.stderr);
      assert.is(remote.stdout, local.stdout, filter);
      const out = join(directory, 'out');
      const written = await ringtap(['query', '--url', url, '-f', filter, '-w', `${out}.remote`]);
      assert.is(written.code, 0, written.stderr);
      await ringtap(['query', '--store', directory, '-f', filter, '-w', `${out}.local`]);
      assert.equal(
        pcapngKeys(readFileSync(`${out}.remote`)),
        pcapngKeys(readFileSync(`${out}.local`)),
        filter,
      );
    }
    const limited = await ringtap(['query', '--url', url, '--limit', '1500', '--json']);
    assert.is(limited.stdout.trim().split('\n').length, 1500);
    assert.is((await ringtap(['query', '--url', url, '-f', 'hots'])).code, 2);
  } finally {
    await app.close();
  }
  assert.is((await ringtap(['query', '--url', url])).code, 1, 'nobody answers');
});

test.run();
