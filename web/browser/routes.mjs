// The console's routes and the areas of its texts, read from the sources, so that a new one cannot be forgotten.
import { readdirSync, readFileSync } from 'node:fs'

const source = (path) => readFileSync(new URL(`../src/${path}`, import.meta.url), 'utf8')

/** Every path of src/routes.tsx and src/router.tsx, such as `/apis/$id`; that of unknown addresses is `$`. */
export function routes() {
  const paths = (text) => [...text.matchAll(/^\s*(?:\{ )?path: '([^']+)'|\bpath: '([^']+)', (?:component|title)/gm)]
  const found = [...paths(source('routes.tsx')), ...paths(source('router.tsx'))].map((m) => m[1] ?? m[2])
  const said = source('routes.tsx').match(/^\s*(\{ )?title: |, title: /gm)?.length ?? 0
  const all = [...new Set(found)].filter((p) => p !== '/__ui') // in development builds only
  if (said === 0 || all.length < said)
    throw new Error(`src/routes.tsx has ${said} pages, of which ${all.length} were read: ${all}`)
  return all
}

/** The permission that a route asks for, by its path. */
export function permissions() {
  const out = {}
  for (const block of source('routes.tsx')
    .split(/\bpath: '/)
    .slice(1)) {
    const permission = /permission: '([^']+)'/.exec(block.slice(0, block.indexOf('}')))?.[1]
    if (permission) out[block.slice(0, block.indexOf("'"))] = permission
  }
  return out
}

/** The names of the areas of texts, which every key begins with. */
export function areas() {
  const index = source('i18n/en/index.ts')
  const first = index.slice(index.indexOf('export const en')).matchAll(/^ {2}(\w+),$/gm)
  const names = [...first, ...source('i18n/areas.ts').matchAll(/^ {2}(\w+): typeof /gm)].map((m) => m[1])
  const files = readdirSync(new URL('../src/i18n/en/', import.meta.url)).filter((f) => f !== 'index.ts')
  if (names.length !== files.length) throw new Error(`${files.length} files of texts, but the areas ${names}`)
  return names
}
