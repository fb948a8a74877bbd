import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Difference } from '../api/schema'
import { i18n } from '../i18n'
import { allTexts } from '../testing/texts'
import { said, sentenceOf, valueText } from './sentences'

const en = i18n('en', await allTexts('en'), 'UTC')
const ko = i18n('ko', await allTexts('ko'), 'UTC')

const folder = join(import.meta.dirname, '../../../dashboard/diff/testdata')
const golden = readdirSync(folder)
  .filter((f) => f.endsWith('.diff.json'))
  .flatMap((f) => JSON.parse(readFileSync(join(folder, f), 'utf8')) as Difference[])

const at = (path: string) => golden.find((d) => d.path === path) as Difference

describe('sentences', () => {
  it.each(golden.map((d) => [d.message, d] as const))('%s is said in both languages', (_, d) => {
    for (const language of [en, ko]) {
      expect(said(d, language)).toBeDefined()
      expect(sentenceOf(d, language)).not.toMatch(/\{(what|before|after|name|from|to)\}|undefined|^: /)
    }
  })
  it.each([
    ['/upstream/timeouts/idle', /^Upstream › .+: 60s → 10s$/, /^업스트림 › .+: 60s → 10s$/],
    ['/upstream/targets/1/weight', /› http:\/\/10\.0\.0\.5:3000 › Weight: 1 → 3$/, /› 가중치: 1 → 3$/],
    ['/upstream/targets/0', /moved from place 2 to 1$/, /2번째에서 1번째로 이동$/],
    ['/filters/auth/strip', /: on → off$/, /: 켜짐 → 꺼짐$/],
    ['/filters/cache', /: turned on with \{"ttl":"60s"\}$/, /: 켬, 설정 \{"ttl":"60s"\}$/],
    ['/endpoints/0/filters/cache', /GET \/\{id\} › .+: turned off$/, /GET \/\{id\} › .+: 끔$/],
    ['/plain/3', /^plain › number 4: 3 → 4$/, /^plain › 4번째: 3 → 4$/],
    ['/key', /: a secret was replaced$/, /: 비밀 값 교체$/],
    ['/state', /^Turned off$/, /^사용 중지$/],
  ])('of %s', (path, english, korean) => {
    expect(sentenceOf(at(path), en)).toMatch(english)
    expect(sentenceOf(at(path), ko)).toMatch(korean)
  })
  it('are the server’s own where a code is new or lacks its values', () => {
    const d = { op: 'changed', path: '/a', code: 'diff.swapped', message: 'swapped' } as const
    expect(sentenceOf(d, ko)).toBe('swapped')
    expect(sentenceOf({ ...d, code: 'diff.changed' }, ko)).toBe('swapped')
  })
  it('cut long values and name empty ones', () => {
    expect(valueText('x'.repeat(500), en).length).toBe(80)
    expect(['', null, undefined, [], ['a', 'b'], 'a\nb'].map((v) => valueText(v, en))).toEqual([
      'empty',
      'nothing',
      'nothing',
      'nothing',
      'a, b',
      'a b',
    ])
  })
})
