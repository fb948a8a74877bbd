import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { compress, files } from './compress.mjs'
import { faults } from './lint.mjs'
import { measure } from './size.mjs'

test('texts are written compressed, always alike, and what would grow is not', () => {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-compress-'))
  try {
    writeFileSync(join(dir, 'a.js'), 'let a = 1\n'.repeat(100))
    writeFileSync(join(dir, 'b.css'), 'a{}')
    writeFileSync(join(dir, 'c.png'), 'a'.repeat(100))
    compress(dir)
    expect([...files(dir)].map((p) => p.slice(dir.length + 1))).toEqual(['a.js', 'a.js.br', 'a.js.gz', 'b.css', 'c.png'])
    const first = readFileSync(join(dir, 'a.js.gz'))
    expect(gunzipSync(first).toString()).toBe(brotliDecompressSync(readFileSync(join(dir, 'a.js.br'))).toString())
    compress(dir)
    expect(readFileSync(join(dir, 'a.js.gz')).equals(first)).toBe(true)
  } finally {
    rmSync(dir, { recursive: true })
  }
})

test.each([
  ['src/pages/a/A.tsx', "import { Button } from '@mantine/core'", 1],
  ['src/layout/A.tsx', "import x from '@tabler/icons-react/dist/esm/icons/IconX.mjs'", 1],
  ['src/ui/icons.ts', "import { IconX } from '@tabler/icons-react'", 1],
  ['src/ui/A.tsx', "import { Menu } from '@mantine/core'", 0],
  ['src/pages/a/A.tsx', '<p>저장</p>', 1],
  ['src/pages/a/A.test.tsx', "getByText('저장')", 0],
  ['src/i18n/ko/a.ts', "a: '저장'", 0],
  ['src/pages/a/A.tsx', "<p style={{ color: '#fff' }}>", 1],
])('%s with %s has %d faults', (path, text, count) => {
  expect(faults(path, text).length).toBe(count)
})

/** A built console of the given chunks. */
function built(manifest, texts, act) {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-size-'))
  try {
    mkdirSync(join(dir, 'assets'))
    mkdirSync(join(dir, '.vite'))
    writeFileSync(join(dir, '.vite/manifest.json'), JSON.stringify(manifest))
    for (const [name, text] of Object.entries(texts)) writeFileSync(join(dir, 'assets', name), text)
    return act(dir)
  } finally {
    rmSync(dir, { recursive: true })
  }
}

/** Text that has about so many KiB when compressed. */
function noise(kib) {
  let out = ''
  for (let i = 0; out.length < (kib * 1024 * 4) / 3; i++) out += createHash('sha512').update(`${kib} ${i}`).digest('base64url')
  return out
}

test('budgets count what a page loads, with what that loads', () => {
  const manifest = {
    'index.html': { file: 'assets/main.js', isEntry: true, css: ['assets/main.css'] },
    'src/pages/a/A.tsx': { file: 'assets/A.js', isDynamicEntry: true, imports: ['_shared.js', 'index.html'] },
    '_shared.js': { file: 'assets/shared.js' },
  }
  const texts = { 'main.js': noise(140), 'main.css': 'a{}', 'A.js': 'a', 'shared.js': noise(40) }
  expect(built(manifest, texts, (dir) => measure(dir).faults)).toEqual([])
  expect(built(manifest, { ...texts, 'shared.js': noise(80) }, (dir) => measure(dir).faults.length)).toBe(2)
  expect(built(manifest, { ...texts, 'main.js': noise(170) }, (dir) => measure(dir).faults[0])).toMatch(/^shell/)
})

test('the texts of a page count as those of the longest language', () => {
  const chunk = (file) => ({ file: `assets/${file}`, isDynamicEntry: true })
  const manifest = {
    'index.html': { file: 'assets/main.js', isEntry: true },
    'src/pages/a/A.tsx': { ...chunk('A.js'), imports: ['index.html'] },
    'src/pages/b/B.tsx': { ...chunk('B.js'), imports: ['index.html'] },
    'src/i18n/en/index.ts': chunk('en.js'),
    'src/i18n/ko/index.ts': chunk('ko.js'),
    'src/i18n/en/big-one.ts': chunk('en-big.js'),
    'src/i18n/ko/big-one.ts': chunk('ko-big.js'),
  }
  const texts = { 'main.js': noise(145), 'A.js': noise(42), 'B.js': noise(42) }
  const words = { 'en.js': noise(1), 'ko.js': noise(7), 'en-big.js': noise(7.5), 'ko-big.js': noise(7.5) }
  const routes = "{ load: () => import('./pages/a/A'), texts: ['bigOne'] }, { load: () => import('./pages/b/B') }"
  const found = (files) => built(manifest, { ...texts, ...files }, (dir) => measure(dir, routes).faults)
  expect(found(words)).toEqual([expect.stringMatching(/^first load of a\/A.tsx, JS/)])
  expect(found({ ...words, 'ko-big.js': noise(3), 'en-big.js': noise(9) })).toEqual([
    expect.stringMatching(/^texts en\/big-one.ts/),
  ])
  expect(found({ ...words, 'ko.js': noise(17), 'ko-big.js': '' })).toContainEqual(expect.stringMatching(/^language ko/))
})

test('a build that has the page of all components is refused', () => {
  const manifest = { 'index.html': { file: 'assets/main.js', isEntry: true } }
  expect(built(manifest, { 'main.js': 'data-gallery' }, (dir) => measure(dir).faults)[0]).toMatch(/page of all components/)
})
