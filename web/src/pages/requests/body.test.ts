import { describe, expect, it } from 'vitest'
import { hexDump, indent, showBody } from './body'

const capture = (body: string, bodyEncoding: 'utf-8' | 'base64' = 'utf-8') => ({
  headers: [],
  body,
  bodyEncoding,
  size: body.length,
  truncated: false,
})

describe('a recorded body', () => {
  it('is indented where it is JSON, and its values stay', () => {
    expect(indent('{"a":12345678901234567890,"b":[],"c":{"d":"x, {y}","d":1.0}}')).toBe(
      '{\n  "a": 12345678901234567890,\n  "b": [],\n  "c": {\n    "d": "x, {y}",\n    "d": 1.0\n  }\n}',
    )
  })
  it.each([
    ['{"a":1}', 'json'],
    ['[1', 'text'],
    ['{"cut": "of', 'text'],
    ['plain', 'text'],
    ['', 'none'],
  ])('%j is %s', (body, kind) => expect(showBody(capture(body)).kind).toBe(kind))
  it('is hex where it is bytes', () => {
    const shown = showBody(capture(btoa('PNG\x00\xff'), 'base64'))
    expect(shown).toEqual({ kind: 'hex', text: `00000000  ${'50 4e 47 00 ff'.padEnd(48)}  PNG..` })
  })
  it('has a line for each sixteen bytes', () => {
    expect(
      hexDump(new Uint8Array(33))
        .split('\n')
        .map((l) => l.slice(0, 8)),
    ).toEqual(['00000000', '00000010', '00000020'])
  })
})
