import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { i18n } from '../i18n'
import { rawOnly, sections } from '../pages/apis/api/Edit'
import { allTexts } from '../testing/texts'
import { deref, faultOf, fieldText, kindOf, type Schema } from './schema'

const english = await allTexts('en')
const korean = await allTexts('ko')

const apidef = join(import.meta.dirname, '../../../pkg/apidef')
const schema = JSON.parse(readFileSync(join(apidef, 'schema.json'), 'utf8')) as Schema
const { filters } = JSON.parse(readFileSync(join(apidef, 'catalog.json'), 'utf8')) as {
  filters: { name: string; schema: Schema }[]
}

interface Found {
  names: string[]
  schema: Schema
  root: Schema
}

/** Every property below a schema. */
function properties(s: Schema, root: Schema, names: string[]): Found[] {
  const here = deref(s, root)
  const inner = here.type === 'array' && here.items ? deref(here.items, root) : here
  return Object.entries(inner.properties ?? {}).flatMap(([name, p]) => {
    const found = { names: [...names, name], schema: deref(p, root), root }
    return [found, ...properties(p, root, found.names)]
  })
}

const all = [
  ...properties(schema, schema, []),
  ...filters.flatMap((f) => [
    { names: ['filters', f.name], schema: f.schema, root: f.schema },
    ...properties(f.schema, f.schema, ['filters', f.name]),
  ]),
]
const named = all.map((f): [string, Found] => [f.names.join('.'), f])

/** Edited by the filter cards and the endpoint's overrides, which take their forms from the catalogue. */
const byCatalogue = ['filters', 'endpoints.filters']

describe('every property of the definition', () => {
  it.each(named)('has a control or is said to be in the JSON tab only: %s', (name, f) => {
    if (byCatalogue.includes(name) || `/${name}` in rawOnly) return
    expect(kindOf(f.schema, f.root)).not.toBe('json')
  })

  it.each(named)('has texts in both languages: %s', (_, f) => {
    for (const [language, texts] of [
      ['en', english],
      ['ko', korean],
    ] as const) {
      const made = i18n(language, texts, 'UTC')
      expect(fieldText(f.names, made)).toBeTruthy()
      for (const v of f.schema.enum ?? []) expect(fieldText(f.names, made, `=${v}`)).toBeTruthy()
    }
  })

  it('stands in a section', () => {
    const shown = Object.values(sections).flat() as string[]
    const missing = Object.keys(schema.properties ?? {}).filter((n) => !shown.includes(n) && !(`/${n}` in rawOnly))
    expect(missing).toEqual([])
    expect(Object.keys(rawOnly).filter((p) => !(p.slice(1) in (schema.properties ?? {})))).toEqual([])
  })
})

describe('checks while writing', () => {
  const t = i18n('en', english, 'UTC')
  it.each([
    [{ type: 'string', format: 'duration' }, '30s', true],
    [{ type: 'string', format: 'duration' }, '1h30m', true],
    [{ type: 'string', format: 'duration' }, '2d', true],
    [{ type: 'string', format: 'duration' }, '30', false],
    [{ type: 'string', format: 'size' }, '64KiB', true],
    [{ type: 'string', format: 'size' }, '64 k', false],
    [{ type: 'string', pattern: '^[45](xx|[0-9][0-9])$' }, '4xx', true],
    [{ type: 'string', pattern: '^[45](xx|[0-9][0-9])$' }, '200', false],
    [{ type: 'integer', minimum: 0, maximum: 599 }, 600, false],
    [{ type: 'integer', minimum: 0, maximum: 599 }, 0, true],
    [{ type: 'string', maxLength: 3 }, '가나다', true],
    [{ type: 'string', maxLength: 3 }, 'abcd', false],
  ] as [Schema, unknown, boolean][])('%o with %o', (s, value, fine) => {
    expect(faultOf(s, value, false, t) === undefined).toBe(fine)
  })
  it('asks for what is required', () => expect(faultOf({ type: 'string' }, undefined, true, t)).toBe('This is required.'))
})
