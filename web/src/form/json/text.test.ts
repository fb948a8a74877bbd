import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { changes, withValue } from './change'
import { JsonFault, memberText, mergePatch, parse, pretty, readable, rewrite, same } from './text'

const repo = join(import.meta.dirname, '../../../..')
const specs = join(repo, 'deploy/e2e/specs')

/** Every definition of the black-box tests, and the full one of the language. */
const definitions: [string, string][] = [
  ['full.json', readFileSync(join(repo, 'pkg/apidef/testdata/full.json'), 'utf8')],
  ...readdirSync(specs).flatMap((file): [string, string][] => {
    const text = readFileSync(join(specs, file), 'utf8')
    const { define } = JSON.parse(text) as { define?: unknown[] }
    return (define ?? []).flatMap((d, i): [string, string][] => [
      [`${file} ${i}`, JSON.stringify(d)],
      [`${file} ${i} in lines`, JSON.stringify(d, null, 2)],
    ])
  }),
]

describe('a definition that is opened and saved', () => {
  it('has fixtures', () => expect(definitions.length).toBeGreaterThan(60))

  it.each(definitions)('keeps every byte: %s', (_, text) => {
    const value = parse(text)
    expect(rewrite(text, value)).toBe(text)
    expect(mergePatch(value, text)).toBe('{}')
    expect(changes(value, parse(text))).toEqual([])
  })

  it.each(definitions)('reads the same after it was written with line breaks: %s', (_, text) => {
    expect(JSON.stringify(parse(pretty(text)))).toBe(JSON.stringify(parse(text)))
    expect(JSON.stringify(parse(readable(text)))).toBe(JSON.stringify(parse(text)))
  })

  it.each(definitions)('keeps all but the name when the name changes: %s', (_, text) => {
    const value = parse(text) as Record<string, unknown>
    const changed = withValue(value, ['name'], 'Another', value)
    const written = rewrite(text, changed)
    expect(parse(written)).toEqual(changed)
    expect(mergePatch(value, written)).toBe('{"name":"Another"}')
    expect(written.replace('"Another"', JSON.stringify(value.name))).toBe(text)
  })
})

describe('rewrite', () => {
  it('keeps numbers, escapes, order and what nobody reads', () => {
    const text = '{"b": 1.0, "x-kept":  {"n":12345678901234567890}, "a": "\\u00e9", "9": 1, "1": 2}'
    const value = { ...(parse(text) as object), c: true }
    expect(rewrite(text, value)).toBe(
      '{"b": 1.0, "x-kept":  {"n":12345678901234567890}, "a": "\\u00e9", "9": 1, "1": 2, "c": true}',
    )
  })
  it('keeps the members of a changed item of a list', () => {
    const text = '[{"url":"a","y":1.50},{"url":"b","z":2.50}]'
    expect(
      rewrite(text, [
        { url: 'a', y: 1.5 },
        { url: 'c', z: 2.5 },
      ]),
    ).toBe('[{"url":"a","y":1.50},{"url":"c","z":2.50}]')
  })
  it('keeps items that moved and drops those that went', () => {
    const text = '[{"n":1.0},{"n":2.0},{"n":3.0}]'
    expect(rewrite(text, [{ n: 3 }, { n: 1 }])).toBe('[{"n":3.0},{"n":1.0}]')
  })
  it('fills what was empty and empties what was full', () => {
    expect(rewrite('{"a": {}}', { a: { b: 1 } })).toBe('{"a": {"b": 1}}')
    expect(rewrite('{"a": {"b": 1}}', { a: {} })).toBe('{"a": {}}')
    expect(rewrite('[]', [1, 2])).toBe('[1, 2]')
  })
  it('keeps indentation', () => {
    expect(rewrite('{\n  "a": 1\n}\n', { a: 1, b: [2] })).toBe('{\n  "a": 1,\n  "b": [2]\n}\n')
  })
})

describe('mergePatch', () => {
  it('says only what was touched, byte for byte', () => {
    const base = parse('{"a":1,"b":{"c":1,"d":2},"e":[1]}')
    expect(mergePatch(base, '{"a":1,"b":{"c":1.50,"x":{"k" : 1}},"e":[1, 2.0]}')).toBe(
      '{"b":{"d":null,"c":1.50,"x":{"k" : 1}},"e":[1, 2.0]}',
    )
  })
  it('does not claim that it could set null', () => {
    expect(mergePatch({ a: 1 }, '{"a":null}')).toBeUndefined()
    expect(mergePatch({}, '{"a":{"b": null}}')).toBeUndefined()
  })
})

describe('parse', () => {
  it('names the line of a mistake', () => {
    const fault = (() => {
      try {
        parse('{\n  "a": 1,\n  oops\n}')
      } catch (e) {
        return e
      }
    })()
    expect(fault).toBeInstanceOf(JsonFault)
    expect((fault as JsonFault).line).toBe(3)
  })
  it('finds the text of a member', () => {
    expect(memberText('{"object": {"b":1.0} ,"meta":{}}', 'object')).toBe('{"b":1.0}')
    expect(memberText('{}', 'object')).toBeUndefined()
  })
  it('compares without the order of members', () => {
    expect(same({ a: 1, b: [1] }, { b: [1], a: 1 })).toBe(true)
    expect(same({ a: undefined }, { b: undefined })).toBe(false)
    expect(same([1, 2], [2, 1])).toBe(false)
  })
})
