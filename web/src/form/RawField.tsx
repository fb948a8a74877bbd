import { useState } from 'react'
import { useI18n } from '../i18n'
import type { FieldProps } from '../ui/Field'
import { TextArea } from '../ui/TextInput'
import { parse, same } from './json/text'

function read(text: string): { ok: boolean; value?: unknown } {
  if (text.trim() === '') return { ok: true }
  try {
    return { ok: true, value: parse(text) }
  } catch {
    return { ok: false }
  }
}

/** A value that has no form of its own, as JSON. What cannot be read stays in the box and is not taken. */
export function RawField({
  value,
  onChange,
  readOnly,
  ...field
}: FieldProps & { value: unknown; onChange: (value: unknown) => void; readOnly: boolean }) {
  const { t } = useI18n()
  const written = value === undefined ? '' : JSON.stringify(value, null, 2)
  const [text, setText] = useState(written)
  const now = read(text)
  const shown = now.ok && !same(now.value, value) ? written : text
  return (
    <TextArea
      {...field}
      error={read(shown).ok ? field.error : t('form.json')}
      mono
      rows={Math.min(12, shown.split('\n').length + 1)}
      spellCheck={false}
      value={shown}
      readOnly={readOnly}
      onChange={(e) => {
        setText(e.target.value)
        const next = read(e.target.value)
        if (next.ok) onChange(next.value)
      }}
    />
  )
}
