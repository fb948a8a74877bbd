import { describe, expect, test } from 'vitest'
import { allTexts } from '../testing/texts'
import { i18n } from './index'
import { final, particle } from './josa'
import { parts, write } from './message'

const english = await allTexts('en')
const korean = await allTexts('ko')

const names = (text: string) => [...new Set(parts(text).flatMap((p) => (typeof p === 'string' ? [] : [p.name])))].sort()

describe('texts', () => {
  test('both languages have the same keys', () => {
    expect(Object.keys(korean).sort()).toEqual(Object.keys(english).sort())
  })
  test.each(Object.keys(english))('%s has the same placeholders in both languages and is not empty', (key) => {
    const [e, k] = [english[key] ?? '', korean[key] ?? '']
    expect(names(k)).toEqual(names(e))
    expect(e.trim()).toBe(e)
    expect(k.trim()).toBe(k)
    expect(e && k).not.toBe('')
  })
  test.each(Object.keys(english))('%s has whole placeholders', (key) => {
    for (const text of [english[key] ?? '', korean[key] ?? '']) {
      expect(text.split('{').length).toBe(text.split('}').length)
      expect(parts(text).filter((p) => typeof p === 'string' && /[{}]/.test(p))).toEqual([])
    }
  })
  test('English has no particles, Korean no forms for one and many', () => {
    expect(Object.entries(english).filter(([, t]) => /\{\w+:/.test(t))).toEqual([])
    expect(Object.entries(korean).filter(([, t]) => /\{\w+\|/.test(t))).toEqual([])
  })
  test('Korean particles stand behind values by the helper, not as 을(를)', () => {
    expect(
      Object.entries(korean).filter(([, t]) =>
        /[을를이가은는와과]\([을를이가은는와과]\)|\}(을|를|이|가|은|는|과|와|으로|로)(?![가-힣])/.test(t),
      ),
    ).toEqual([])
  })
  test('Korean messages are in 합니다체', () => {
    expect(Object.entries(korean).filter(([, t]) => /(해요|세요|어요|아요|예요|이에요)[.!?]?$/.test(t))).toEqual([])
  })
})

describe('messages', () => {
  test('fill in values and count', () => {
    expect(write('{count|# entry|# entries}', 'en', { count: 1 })).toBe('1 entry')
    expect(write('{count|# entry|# entries}', 'en', { count: 1204 })).toBe('1,204 entries')
    expect(write('rev {revision}', 'en', { revision: '1204' })).toBe('rev 1204')
    expect(write('{name:을/를} 삭제', 'ko', { name: '주문' })).toBe('주문을 삭제')
  })
  test('show a missing value as its placeholder', () => {
    expect(write('a {name} b', 'en', {})).toBe('a {name} b')
  })
  test('are found at run time only when nothing is missing', () => {
    const { find } = i18n('en', english, 'UTC')
    expect(find('errors.auth.invalid')).toBe('The login or the password is wrong.')
    expect(find('errors.auth.locked')).toBeUndefined()
    expect(find('errors.no.such.code')).toBeUndefined()
    expect(find('diff.removed', { what: 'GET /{id}', before: '{}' })).toBe('GET /{id}: removed {}')
  })
})

describe('particles', () => {
  test.each([
    ['주문', '이/가', '이'],
    ['결제', '을/를', '를'],
    ['orders-v1', '이/가', '이'],
    ['orders-v2', '이/가', '가'],
    ['서울', '으로/로', '로'],
    ['부산', '으로/로', '으로'],
    ['admin', '으로/로', '으로'],
    ['API', '은/는', '는'],
    ['URL', '이/가', '이'],
    ['JWT', '이/가', '가'],
    ['100', '을/를', '을'],
    ['129', '으로/로', '로'],
    ['3', '으로/로', '으로'],
    ['주문 (v2)', '과/와', '와'],
    ['“결제”', '을/를', '를'],
    ['', '을/를', '를'],
    ['🙂', '을/를', '를'],
  ])('%s takes of %s: %s', (text, pair, want) => {
    expect(particle(text, pair)).toBe(want)
  })
  test('end in ㄹ, another consonant or none', () => {
    expect([final('길'), final('집'), final('나무')]).toEqual(['l', 'other', 'none'])
  })
})
