import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { setPrefs } from '../prefs'
import { pages } from '../routes'
import { allTexts } from '../testing/texts'
import { sources } from './areas'

const src = resolve(import.meta.dirname, '..')
const english = await allTexts('en')
const areas = Object.keys(sources.en)

/** The file that an import names. */
function fileOf(path: string): string | undefined {
  return ['', '.ts', '.tsx', '/index.ts', '/index.tsx'].map((end) => path + end).find((p) => /\.tsx?$/.test(p) && existsSync(p))
}

/** A file and all that it imports; `lazy` also what it fetches later. */
function withImports(file: string, lazy: boolean, seen = new Set<string>()): Set<string> {
  if (seen.has(file) || file.includes('/i18n/')) return seen
  seen.add(file)
  const text = readFileSync(file, 'utf8').replace(/^import type .*$/gm, '')
  const found = [...text.matchAll(/(?:from |^import )'(\.[^']+)'/gm), ...(lazy ? text.matchAll(/import\('(\.[^']+)'\)/g) : [])]
  for (const [, path = ''] of found) {
    const next = fileOf(resolve(dirname(file), path))
    if (next && next !== join(src, 'routes.tsx')) withImports(next, lazy, seen)
  }
  return seen
}

/** Areas some of whose texts the files name. */
function used(files: Iterable<string>): string[] {
  const found = new Set<string>()
  for (const file of files) {
    for (const [, key = '', area = ''] of readFileSync(file, 'utf8').matchAll(/['`]((\w+)\.(?:[\w.?]*\$\{|[\w.?]+))/g)) {
      if (areas.includes(area) && (key.endsWith('${') || key in english)) found.add(area)
    }
  }
  return [...found].sort()
}

describe('texts that come with pages', () => {
  test.each(pages.filter((p) => p.load).map((p) => [p.path, p] as const))('of %s are those that it uses', (_, page) => {
    const [path] = /pages\/[\w/-]+/.exec(String(page.load)) ?? []
    const file = fileOf(join(src, path ?? ''))
    expect(file).toBeDefined()
    expect([...(page.texts ?? [])].sort()).toEqual(used(withImports(file as string, true)))
  })
  test('are not used by what stands around every page', () => {
    const frame = withImports(join(src, 'main.tsx'), false)
    expect(frame.size).toBeGreaterThan(30)
    expect(used(frame)).toEqual([])
    expect(used([join(src, 'routes.tsx')])).toEqual([])
    expect(used(withImports(join(src, 'pages/login/Login.tsx'), true))).toEqual([])
  })
})

describe('fetching texts', () => {
  test('another language has what pages asked for before it shows', async () => {
    vi.resetModules()
    const { loadLanguage, loadTexts } = await import('./index')
    setPrefs({ language: 'en' })
    const table = await loadLanguage('en')
    expect('keys.create' in table).toBe(false)
    await loadTexts(['keys'])
    expect('keys.create' in table).toBe(true)
    expect('fields.name' in table).toBe(false)
    expect('keys.create' in (await loadLanguage('ko'))).toBe(true)
  })
  test('what failed is asked for again', async () => {
    vi.resetModules()
    const { sources } = await import('./areas')
    const { loadLanguage, loadTexts } = await import('./index')
    const table = await loadLanguage('en')
    const ask = vi.spyOn(sources.en, 'requests').mockRejectedValueOnce(new Error('away'))
    await expect(loadTexts(['requests'])).rejects.toThrow('away')
    await loadTexts(['requests'])
    await loadTexts(['requests'])
    expect(ask).toHaveBeenCalledTimes(2)
    expect(Object.keys(table).some((k) => k.startsWith('requests.'))).toBe(true)
  })
})
