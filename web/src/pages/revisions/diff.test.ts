import { describe, expect, it } from 'vitest'
import { brief, compare, same } from './fields'
import { diffLines, fold, linesOf } from './lines'

describe('fields', () => {
  const list = (before: Record<string, unknown> | null, after: Record<string, unknown> | null) =>
    compare(before, after).map((f) => [f.kind, f.path, f.before, f.after])

  it.each([
    ['nothing', { a: 1, b: [1, { c: 2 }] }, { b: [1, { c: 2 }], a: 1 }, []],
    ['a value', { a: { b: 1 } }, { a: { b: 2 } }, [['changed', 'a.b', 1, 2]]],
    ['another type', { a: { b: 1 } }, { a: [1] }, [['changed', 'a', { b: 1 }, [1]]]],
    ['null is a value', { a: null }, {}, [['removed', 'a', null, undefined]]],
    [
      'false and 0',
      { a: false, b: 0 },
      { a: true, b: 1 },
      [
        ['changed', 'a', false, true],
        ['changed', 'b', 0, 1],
      ],
    ],
    [
      'an object that comes, leaf by leaf',
      {},
      { a: { b: 1, c: {} } },
      [
        ['added', 'a.b', undefined, 1],
        ['added', 'a.c', undefined, {}],
      ],
    ],
    ['an object that goes', { a: { b: 1 } }, {}, [['removed', 'a.b', 1, undefined]]],
    ['a list of words', { tags: ['a'] }, { tags: ['a', 'b'] }, [['changed', 'tags', ['a'], ['a', 'b']]]],
    [
      'names that are no words',
      { 'X-Team': 1, 'a b': 1 },
      { 'X-Team': 2, 'a b': 2 },
      [
        ['changed', 'X-Team', 1, 2],
        ['changed', '["a b"]', 1, 2],
      ],
    ],
  ])('%s', (_, before, after, want) => {
    expect(list(before, after)).toEqual(want)
  })

  it('knows entries of a list by their id, wherever they stand', () => {
    const before = {
      e: [
        { id: 'x', v: 1 },
        { id: 'y', v: 1 },
      ],
    }
    const after = {
      e: [
        { id: 'y', v: 2 },
        { id: 'x', v: 1 },
        { id: 'z', v: 3 },
      ],
    }
    expect(list(before, after)).toEqual([
      ['changed', 'e[y].v', 1, 2],
      ['added', 'e[z].id', undefined, 'z'],
      ['added', 'e[z].v', undefined, 3],
    ])
  })

  it('compares entries by place where they have no names of their own', () => {
    expect(list({ e: [{ v: 1 }, { v: 1 }] }, { e: [{ v: 1 }, { v: 2 }] })).toEqual([['changed', 'e[1].v', 1, 2]])
  })

  it('shows all of a document that came or went', () => {
    expect(list(null, { a: 1 })).toEqual([['added', 'a', undefined, 1]])
    expect(list({ a: 1 }, null)).toEqual([['removed', 'a', 1, undefined]])
  })

  it('writes values in one line', () => {
    expect([brief('x'), brief(''), brief({ a: [1] }), brief(null)]).toEqual(['x', '""', '{"a":[1]}', 'null'])
    expect(same({ a: undefined }, {})).toBe(false)
  })
})

describe('lines', () => {
  /** Puts the two texts together again from what the comparison says. */
  const sides = (lines: ReturnType<typeof diffLines>['lines']) => [
    lines.filter((l) => l.kind !== 'added').map((l) => l.text),
    lines.filter((l) => l.kind !== 'removed').map((l) => l.text),
  ]

  it.each([
    ['', '', ''],
    ['abc', 'abc', '==='],
    ['', 'ab', '++'],
    ['ab', '', '--'],
    ['abcd', 'axcd', '=-+=='],
    ['abab', 'ab', '==--'],
    ['abc', 'cab', '+==-'],
  ])('%j to %j', (a, b, want) => {
    const { lines, exact } = diffLines([...a], [...b])
    expect(exact).toBe(true)
    expect(sides(lines)).toEqual([[...a], [...b]])
    expect(lines.map((l) => ({ same: '=', added: '+', removed: '-' })[l.kind]).join('')).toBe(want)
  })

  it('keeps both texts whole, whatever they are', () => {
    let seed = 7
    const random = (n: number) => {
      seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31
      return seed % n
    }
    for (let round = 0; round < 200; round++) {
      const make = () => Array.from({ length: random(12) }, () => 'abc'[random(3)] as string)
      const [a, b] = [make(), make()]
      const { lines } = diffLines(a, b)
      expect(sides(lines)).toEqual([a, b])
      for (const l of lines) {
        if (l.before) expect(a[l.before - 1]).toBe(l.text)
        if (l.after) expect(b[l.after - 1]).toBe(l.text)
      }
    }
  })

  it('gives up on texts that are long and have nothing in common, and says so', () => {
    const many = (p: string) => Array.from({ length: 2_000 }, (_, i) => p + i)
    const found = diffLines(many('a'), many('b'))
    expect(found.exact).toBe(false)
    expect(sides(found.lines)).toEqual([many('a'), many('b')])
    // A long text with a small change is no such case.
    const long = many('a')
    expect(diffLines(long, [...long.slice(0, 900), 'x', ...long.slice(901)]).exact).toBe(true)
  })

  it('folds what is far from every change', () => {
    const before = Array.from({ length: 20 }, (_, i) => String(i))
    const after = before.map((l) => (l === '10' ? 'x' : l))
    const lines = fold(diffLines(before, after).lines, 2)
    expect(lines.map((l) => (l.kind === 'gap' ? l.count : l.text))).toEqual([8, '8', '9', '10', 'x', '11', '12', 7])
  })

  it('has no lines for no document', () => {
    expect(linesOf(null)).toEqual([])
    expect(linesOf({ a: [] })).toEqual(['{', '  "a": []', '}'])
  })
})
