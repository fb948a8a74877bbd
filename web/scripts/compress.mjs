// Writes .br and .gz beside every text of dist, so that the dashboard sends them as they are. The output depends on the
// input alone: gzip's header carries no time. What compression does not make smaller gets no such file.
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'

const texts = /\.(js|mjs|css|html|svg|json|txt|webmanifest)$/

export function* files(dir) {
  for (const name of readdirSync(dir).sort()) {
    const path = join(dir, name)
    if (statSync(path).isDirectory()) yield* files(path)
    else yield path
  }
}

export function compress(dir) {
  for (const path of [...files(dir)]) {
    if (!texts.test(path)) continue
    const text = readFileSync(path)
    const made = {
      br: brotliCompressSync(text, {
        params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: text.length },
      }),
      gz: gzipSync(text, { level: 9 }),
    }
    for (const [ext, out] of Object.entries(made)) {
      if (out.length < text.length) writeFileSync(`${path}.${ext}`, out)
    }
  }
}

if (process.argv[1] === import.meta.filename) {
  const dist = process.argv[2] ?? new URL('../dist', import.meta.url).pathname
  compress(dist)
  writeFileSync(join(dist, '.gitkeep'), '') // committed, so that Go builds without Node; the build empties the folder
}
