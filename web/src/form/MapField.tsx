import { useState } from 'react'
import { useI18n } from '../i18n'
import { Button, IconButton } from '../ui/Button'
import { type FieldProps, FieldSet } from '../ui/Field'
import { PlusIcon, TrashIcon } from '../ui/icons'
import { TextInput } from '../ui/TextInput'
import { same } from './json/text'
import css from './SchemaForm.module.css'

type Row = readonly [name: string, value: string]

/** The object that rows mean; rows without a name do not count yet. */
function objectOf(rows: readonly Row[]): Record<string, string> {
  return Object.fromEntries(rows.filter(([name]) => name.trim() !== '').map(([name, v]) => [name.trim(), v]))
}

/** Names with a text each, such as header fields. */
export function MapField({
  value,
  onChange,
  readOnly,
  ...field
}: FieldProps & {
  value: Record<string, string> | undefined
  onChange: (value: Record<string, string> | undefined) => void
  readOnly: boolean
}) {
  const { t } = useI18n()
  const [rows, setRows] = useState<readonly Row[]>(() => Object.entries(value ?? {}))
  // What came from elsewhere shows; what is being written here and means the same stays as it is.
  const shown = same(objectOf(rows), value ?? {}) ? rows : Object.entries(value ?? {})
  const change = (next: readonly Row[]) => {
    setRows(next)
    const object = objectOf(next)
    onChange(Object.keys(object).length > 0 ? object : undefined)
  }
  const edit = (i: number, row: Row) => change(shown.map((r, k) => (k === i ? row : r)))
  return (
    <FieldSet {...field}>
      <div className={css.rows}>
        {shown.map(([name, v], i) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: a row whose name is being written has no other
          <div key={i} className={css.row}>
            <TextInput
              label={t('form.rowName', { name: field.label, n: String(i + 1) })}
              hideLabel
              mono
              placeholder={t('form.name')}
              value={name}
              readOnly={readOnly}
              onChange={(e) => edit(i, [e.target.value, v])}
            />
            <TextInput
              label={t('form.rowValue', { name: field.label, n: String(i + 1) })}
              hideLabel
              mono
              placeholder={t('form.value')}
              value={v}
              readOnly={readOnly}
              onChange={(e) => edit(i, [name, e.target.value])}
            />
            {!readOnly && (
              <IconButton
                small
                icon={TrashIcon}
                label={t('form.removeRow', { name: name || String(i + 1) })}
                onClick={() => change(shown.filter((_, k) => k !== i))}
              />
            )}
          </div>
        ))}
        {!readOnly && (
          <div>
            <Button small icon={PlusIcon} onClick={() => setRows([...shown, ['', '']])}>
              {t('form.addRow')}
            </Button>
          </div>
        )}
      </div>
    </FieldSet>
  )
}
