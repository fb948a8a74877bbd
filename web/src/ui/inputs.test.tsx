import { fireEvent, screen } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { useState } from 'react'
import { expect, test, vi } from 'vitest'
import { show } from '../testing/render'
import { Button } from './Button'
import { NumberInput, readNumber } from './NumberInput'
import { match } from './Palette'
import { TagInput } from './TagInput'
import { TextInput } from './TextInput'

test('a field says its label, its help and its error to those who hear the page', async () => {
  await show(<TextInput label="Name" help="Shown in lists." error="Enter a name." />)
  const input = screen.getByLabelText('Name')
  const described = (input.getAttribute('aria-describedby') ?? '')
    .split(' ')
    .map((id) => document.getElementById(id)?.textContent)
  expect(described).toEqual(['Shown in lists.', 'Enter a name.'])
  expect(input.getAttribute('aria-invalid')).toBe('true')
})

test('a button that is off stays in reach, does nothing and says why', async () => {
  const act = vi.fn()
  await show(
    <Button disabled="Needs apis:write" onClick={act}>
      Delete
    </Button>,
  )
  const button = screen.getByRole('button', { name: 'Delete' })
  await userEvent.click(button)
  expect(act).not.toHaveBeenCalled()
  expect(button.getAttribute('aria-disabled')).toBe('true')
  fireEvent.pointerEnter(button, { pointerType: 'mouse' })
  expect((await screen.findByRole('tooltip')).textContent).toBe('Needs apis:write')
  await userEvent.keyboard('{Escape}')
})

test.each([
  ['100', true, 100],
  [' 1 000 ', true, 1000],
  ['1.5', true, undefined],
  ['1.5', false, 1.5],
  ['−3', true, -3],
  ['12a', true, undefined],
  ['', true, undefined],
])('the text %j is read as %s whole: %s', (text, whole, want) => {
  expect(readNumber(text, whole)).toBe(want)
})

function Numbers() {
  const [n, setN] = useState<number | undefined>(9)
  return (
    <>
      <NumberInput label="Rate" value={n} onChange={setN} min={1} max={10} />
      <output>{String(n)}</output>
    </>
  )
}

test('a number follows the arrow keys within its limits and keeps what cannot be read', async () => {
  await show(<Numbers />)
  const input = screen.getByLabelText('Rate') as HTMLInputElement
  await userEvent.type(input, '{ArrowUp}{ArrowUp}')
  expect(screen.getByRole('status').textContent).toBe('10')
  await userEvent.clear(input)
  await userEvent.type(input, '5x')
  expect([input.value, screen.getByRole('status').textContent]).toEqual(['5x', 'undefined'])
})

function Tags() {
  const [tags, setTags] = useState(['prod'])
  return (
    <>
      <TagInput label="Tags" value={tags} onChange={setTags} />
      <output>{tags.join('|')}</output>
    </>
  )
}

test('tags are added by Enter and comma, but not by the Enter that ends a syllable', async () => {
  await show(<Tags />)
  const input = screen.getByLabelText('Tags')
  await userEvent.type(input, '주문')
  fireEvent.keyDown(input, { key: 'Enter', isComposing: true })
  expect(screen.getByRole('status').textContent).toBe('prod')
  await userEvent.type(input, '{Enter}a,prod{Enter}')
  expect(screen.getByRole('status').textContent).toBe('prod|주문|a')
  await userEvent.type(input, '{Backspace}')
  expect(screen.getByRole('status').textContent).toBe('prod|주문')
  await userEvent.click(screen.getByRole('button', { name: 'Remove prod' }))
  expect(screen.getByRole('status').textContent).toBe('주문')
})

test('the palette finds every word, what begins with it first, group by group', () => {
  const c = (id: string, group: string, label: string, words = '') => ({ id, group, label, words, run: () => undefined })
  const all = [
    c('1', 'Pages', 'APIs'),
    c('2', 'Pages', 'Keys', '키'),
    c('3', 'Commands', 'New key'),
    c('4', 'Commands', 'Keyboard'),
  ]
  expect(match(all, '').length).toBe(4)
  expect(match(all, 'key').map((x) => x.id)).toEqual(['2', '4', '3'])
  expect(match(all, '키').map((x) => x.id)).toEqual(['2'])
  expect(match(all, 'new key').map((x) => x.id)).toEqual(['3'])
  expect(match(all, 'zzz')).toEqual([])
})
