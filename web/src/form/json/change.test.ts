import { describe, expect, it } from 'vitest'
import { changes, pointer, resolve, threeWay, valueAt, withValue } from './change'

describe('withValue', () => {
  it('sets, also where there was nothing', () => {
    expect(withValue({ a: 1 }, ['b', 'c'], 2)).toEqual({ a: 1, b: { c: 2 } })
    expect(withValue({ a: [{ b: 1 }] }, ['a', '0', 'b'], 2)).toEqual({ a: [{ b: 2 }] })
  })
  it('going back leaves nothing behind that the base did not have', () => {
    const base = { a: 1, kept: {} }
    const there = withValue(base, ['t', 'connect'], '1s', base)
    expect(withValue(there, ['t', 'connect'], undefined, base)).toEqual(base)
    const filled = withValue(base, ['kept', 'x'], 1, base)
    expect(withValue(filled, ['kept', 'x'], undefined, base)).toEqual(base)
  })
  it('takes an item out of a list', () => {
    expect(withValue({ a: [1, 2, 3] }, ['a', '1'], undefined)).toEqual({ a: [1, 3] })
  })
})

describe('changes', () => {
  it('goes to the place that differs', () => {
    expect(changes({ a: { b: 1, c: 2 }, l: [{ x: 1 }] }, { a: { b: 2, c: 2 }, l: [{ x: 2 }], n: true })).toEqual([
      { path: ['a', 'b'], before: 1, after: 2 },
      { path: ['l', '0', 'x'], before: 1, after: 2 },
      { path: ['n'], before: undefined, after: true },
    ])
  })
  it('takes lists of different length as one', () => {
    expect(changes({ l: [{ x: 1 }] }, { l: [{ x: 2 }, { x: 1 }] })).toEqual([
      { path: ['l'], before: [{ x: 1 }], after: [{ x: 2 }, { x: 1 }] },
    ])
  })
  it('writes pointers', () => {
    expect(pointer(['a/b', '0', 'c~d'])).toBe('/a~1b/0/c~0d')
    expect(valueAt({ a: [{ b: 1 }] }, ['a', '0', 'b'])).toBe(1)
    expect(valueAt({}, ['constructor'])).toBeUndefined()
  })
})

describe('threeWay', () => {
  const base = { name: 'A', listen: { path: '/a', strip: true }, targets: [{ url: 'x' }] }
  it('brings changes of different places together', () => {
    const mine = { ...base, name: 'B' }
    const theirs = { ...base, listen: { path: '/b', strip: true } }
    const m = threeWay(base, mine, theirs)
    expect(m.conflicts).toEqual([])
    expect(m.value).toEqual({ ...theirs, name: 'B' })
    expect(m.brought).toEqual([{ path: ['listen', 'path'], before: '/a', after: '/b' }])
  })
  it('leaves the same change of both alone', () => {
    const both = { ...base, name: 'B' }
    expect(threeWay(base, both, both)).toMatchObject({ conflicts: [], value: both })
  })
  it('asks where both changed one place', () => {
    const m = threeWay(base, { ...base, name: 'B' }, { ...base, name: 'C' })
    expect(m.conflicts).toEqual([{ path: ['name'], base: 'A', mine: 'B', theirs: 'C' }])
    expect(m.brought).toEqual([])
    expect(resolve(m, new Set())).toEqual({ ...base, name: 'C' })
    expect(resolve(m, new Set(['/name']))).toEqual({ ...base, name: 'B' })
  })
  it('asks for the whole list where one changed an item and the other the list', () => {
    const mine = { ...base, targets: [{ url: 'y' }] }
    const theirs = { ...base, targets: [{ url: 'x' }, { url: 'z' }] }
    const m = threeWay(base, mine, theirs)
    expect(m.conflicts.map((c) => pointer(c.path))).toEqual(['/targets'])
    expect(resolve(m, new Set(['/targets']))).toEqual(mine)
  })
  it('asks where one took away what the other changed', () => {
    const { listen: _, ...without } = base
    const m = threeWay(base, without, { ...base, listen: { path: '/b', strip: true } })
    expect(m.conflicts.map((c) => pointer(c.path))).toEqual(['/listen'])
    expect(resolve(m, new Set(['/listen']))).toEqual(without)
  })
})
