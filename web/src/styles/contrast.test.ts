import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'

const text = readFileSync('src/styles/tokens.css', 'utf8')

/** Colours of one block of tokens.css. */
function tokens(selector: string): Record<string, string> {
  const block = text.slice(text.indexOf(`${selector} {`)).split('\n}')[0] ?? ''
  return Object.fromEntries([...block.matchAll(/--([\w-]+):\s*(#[0-9a-f]{6});/g)].map((m) => [m[1], m[2]]))
}

const light = tokens(':root')
const themes = { light, dark: { ...light, ...tokens('[data-mantine-color-scheme="dark"]') } }

/** Relative luminance (WCAG 2.2). */
function luminance(hex: string): number {
  const [r, g, b] = [1, 3, 5].map((i) => {
    const c = Number.parseInt(hex.slice(i, i + 2), 16) / 255
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4
  }) as [number, number, number]
  return 0.2126 * r + 0.7152 * g + 0.0722 * b
}

function contrast(a: string, b: string): number {
  const [x, y] = [luminance(a), luminance(b)].sort((m, n) => n - m) as [number, number]
  return (x + 0.05) / (y + 0.05)
}

// Text of 4.5:1 (1.4.3) and what tells a control or a state of 3:1 (1.4.11), each on everything it stands on.
const pairs: [string, string[], number][] = [
  ['text', ['bg', 'surface', 'surface-2', 'accent-bg', 'ok-bg', 'warn-bg', 'bad-bg', 'code-bg'], 4.5],
  ['text-2', ['bg', 'surface', 'surface-2', 'accent-bg', 'ok-bg', 'warn-bg', 'bad-bg'], 4.5],
  ['text-3', ['bg', 'surface', 'surface-2'], 4.5],
  ['accent', ['bg', 'surface', 'surface-2', 'accent-bg'], 4.5],
  ['ok', ['surface', 'surface-2', 'ok-bg'], 4.5],
  ['warn', ['surface', 'surface-2', 'warn-bg'], 4.5],
  ['bad', ['surface', 'surface-2', 'bad-bg'], 4.5],
  ['on-accent', ['accent-fill', 'accent-fill-hover', 'bad-fill', 'bad-fill-hover'], 4.5],
  ['code-string', ['surface', 'code-bg'], 4.5],
  ['code-number', ['surface', 'code-bg'], 4.5],
  ['code-name', ['surface', 'code-bg'], 4.5],
  ['control-line', ['bg', 'surface', 'surface-2'], 3],
  ['series-1', ['surface'], 3],
  ['series-2', ['surface'], 3],
  ['series-3', ['surface'], 3],
]

describe.each(Object.entries(themes))('%s', (_, theme) => {
  test.each(pairs.flatMap(([fore, backs, least]) => backs.map((back) => [fore, back, least] as const)))(
    '%s on %s is %d:1 at least',
    (fore, back, least) => {
      expect(theme[fore], fore).toBeDefined()
      expect(theme[back], back).toBeDefined()
      expect(contrast(theme[fore] as string, theme[back] as string)).toBeGreaterThanOrEqual(least)
    },
  )
})

test('black on white is 21:1', () => {
  expect(contrast('#000000', '#ffffff')).toBeCloseTo(21)
})
