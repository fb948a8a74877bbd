// Reads dist/ and compares it with the budgets of the console (gzip at its best, KiB). What is loaded with a page is
// found as a browser finds it: by following the static imports of the page's chunk, and its texts by what routes.tsx says.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import { files } from './compress.mjs'

/** KiB; each with a reason in the design of the console. */
export const budgets = { shell: 150, routeJs: 200, routeCss: 16, lazy: 55, editor: 105, language: 16, texts: 8, dist: 900 }

const kib = (bytes) => Math.round((bytes / 1024) * 10) / 10

/** Names of the texts that come with each page, by the page's file. */
export function textsOf(routes) {
  const pages = routes.matchAll(/import\('\.\/(pages\/[^']+)'\)[^{}]*?(?:texts: \[([^\]]*)\][^{}]*?)?\}/g)
  return Object.fromEntries(
    [...pages].map(([, page, texts]) => [`src/${page}.tsx`, [...(texts ?? '').matchAll(/'(\w+)'/g)].map((m) => m[1])]),
  )
}

/** Measures a built console; returns figures and faults. `routes` is the source that says which texts come with a page. */
export function measure(dist, routes = '') {
  const manifest = JSON.parse(readFileSync(join(dist, '.vite/manifest.json'), 'utf8'))
  const sizes = new Map()
  const size = (file) => {
    if (!sizes.has(file)) sizes.set(file, gzipSync(readFileSync(join(dist, file)), { level: 9 }).length)
    return sizes.get(file)
  }
  /** Chunks that stand when a chunk runs. */
  const withImports = (key, seen = new Set()) => {
    if (seen.has(key)) return seen
    seen.add(key)
    for (const next of manifest[key].imports ?? []) withImports(next, seen)
    return seen
  }
  const weigh = (keys) => {
    const css = new Set([...keys].flatMap((k) => manifest[k].css ?? []))
    return { js: [...keys].reduce((n, k) => n + size(manifest[k].file), 0), css: [...css].reduce((n, f) => n + size(f), 0) }
  }

  const entry = Object.keys(manifest).find((k) => manifest[k].isEntry)
  const shellKeys = withImports(entry)
  const shell = weigh(shellKeys)
  const languages = Object.keys(manifest).filter((k) => /i18n\/\w+\/index\.ts$/.test(k))
  const pages = Object.keys(manifest).filter((k) => k.startsWith('src/pages/') && manifest[k].isDynamicEntry)
  const editors = Object.keys(manifest).filter((k) => k.startsWith('src/ui/editor/') && manifest[k].isDynamicEntry)
  const areas = Object.keys(manifest).filter((k) => /i18n\/\w+\/[\w-]+\.ts$/.test(k) && !languages.includes(k))
  const texts = textsOf(routes)
  const kebab = (area) => area.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)
  /** All texts of a page in the longest language; those of a page that names none are none. */
  const wordsOf = (page) =>
    Math.max(
      0,
      ...languages.map((k) => {
        const own = (texts[page] ?? []).map((area) => k.replace(/index\.ts$/, `${kebab(area)}.ts`))
        return [k, ...own].reduce((n, x) => n + size(manifest[x].file), 0)
      }),
    )

  const lines = []
  const faults = []
  const check = (name, bytes, budget) => {
    const line = `${name.padEnd(44)} ${String(kib(bytes)).padStart(7)} of ${budget} KiB`
    lines.push(line)
    if (bytes > budget * 1024) faults.push(line)
  }
  check('shell, JS', shell.js, budgets.shell)
  for (const k of languages) check(`language ${k.split('/')[2]}`, size(manifest[k].file), budgets.language)
  for (const k of areas) check(`texts ${k.split('/').slice(2).join('/')}`, size(manifest[k].file), budgets.texts)
  for (const k of pages) {
    const all = weigh(withImports(k, new Set(shellKeys)))
    check(`first load of ${k.slice('src/pages/'.length)}, JS`, all.js + wordsOf(k), budgets.routeJs)
    check(`first load of ${k.slice('src/pages/'.length)}, CSS`, all.css, budgets.routeCss)
  }
  for (const [k, chunk] of Object.entries(manifest)) {
    if (shellKeys.has(k) || languages.includes(k) || areas.includes(k) || !chunk.file.endsWith('.js')) continue
    if (!editors.includes(k)) check(`chunk ${chunk.file}`, size(chunk.file), budgets.lazy)
  }
  for (const k of editors) {
    const own = [...withImports(k)].filter((x) => !shellKeys.has(x))
    check('editor, JS', weigh(new Set(own)).js, budgets.editor)
  }
  let total = 0
  for (const path of files(dist)) {
    if (/\.(br|gz|woff2?)$/.test(path) || path.includes('/.')) continue
    total += existsSync(`${path}.br`) ? readFileSync(`${path}.br`).length : brotliCompressSync(readFileSync(path)).length
  }
  for (const path of files(dist)) {
    if (path.endsWith('.js') && readFileSync(path, 'utf8').includes('data-gallery'))
      faults.push(`${path} has the page of all components`)
  }
  check('all of dist, brotli, without fonts', total, budgets.dist)
  return { lines, faults }
}

if (process.argv[1] === import.meta.filename) {
  const { lines, faults } = measure(
    process.argv[2] ?? new URL('../dist', import.meta.url).pathname,
    readFileSync(new URL('../src/routes.tsx', import.meta.url), 'utf8'),
  )
  console.log(lines.join('\n'))
  if (faults.length > 0) {
    console.error(`\nover budget:\n${faults.join('\n')}`)
    process.exit(1)
  }
}
