import '@mantine/core/styles/Popover.css'
import { Popover } from '@mantine/core'
import { useState } from 'react'
import { useI18n } from '../i18n'
import { Checkbox } from './Choice'
import { cx } from './cx'
import { Field, type FieldProps, fieldOf } from './Field'
import css from './Field.module.css'
import floating from './Floating.module.css'
import { SelectIcon } from './icons'
import { Kit } from './kit/Kit'
import own from './MultiPick.module.css'
import type { Option } from './Select'

export interface MultiPickProps extends FieldProps {
  options: Option[]
  value: string[]
  onChange: (value: string[]) => void
  /** Shown while nothing is chosen. */
  placeholder?: string
  /** Where the list is the server's: told what was typed; `options` are then its answer. */
  onSearch?: (text: string) => void
}

/** Some of a list: a button that opens a list of checkboxes, which every reader of screens knows. */
export function MultiPick(props: MultiPickProps) {
  return (
    <Kit>
      <Box {...props} />
    </Kit>
  )
}

function Box(props: MultiPickProps) {
  const [field, { options, value, onChange, placeholder, onSearch }] = fieldOf(props)
  const { t } = useI18n()
  const [open, setOpen] = useState(false)
  const [typed, setTyped] = useState('')
  const wanted = typed.trim().toLowerCase()
  const shown = onSearch || !wanted ? options : options.filter((o) => `${o.label} ${o.value}`.toLowerCase().includes(wanted))
  const names = value.map((v) => options.find((o) => o.value === v)?.label ?? v)
  return (
    <Popover
      opened={open}
      onChange={setOpen}
      position="bottom-start"
      offset={4}
      width="target"
      trapFocus
      withRoles={false}
      returnFocus
      classNames={{ dropdown: floating.panel }}
      transitionProps={{ duration: 80 }}
    >
      <Field {...field}>
        {({ 'aria-required': _required, 'aria-invalid': _invalid, ...control }) => (
          <div className={css.wrap}>
            <Popover.Target>
              <button type="button" {...control} className={cx(css.input, css.pick)} onClick={() => setOpen(!open)}>
                <span className={cx('truncate', names.length === 0 && own.empty)}>
                  {names.length === 0
                    ? (placeholder ?? t('ui.none'))
                    : names.length > 3
                      ? t('ui.selected', { count: names.length })
                      : names.join(', ')}
                </span>
              </button>
            </Popover.Target>
            <SelectIcon size={15} className={css.chevron} aria-hidden />
          </div>
        )}
      </Field>
      <Popover.Dropdown role="dialog" aria-label={field.label}>
        <input
          className={cx(css.input, own.search)}
          aria-label={t('ui.search')}
          placeholder={t('ui.search')}
          value={typed}
          data-autofocus
          onChange={(e) => {
            setTyped(e.target.value)
            onSearch?.(e.target.value)
          }}
        />
        <fieldset className={floating.options} aria-label={field.label}>
          {shown.length === 0 && <div className={floating.none}>{t('ui.noOptions')}</div>}
          {shown.map((o) => (
            <div key={o.value} className={own.option}>
              <Checkbox
                label={o.label}
                disabled={o.disabled}
                checked={value.includes(o.value)}
                onChange={(e) => onChange(e.target.checked ? [...value, o.value] : value.filter((v) => v !== o.value))}
              />
            </div>
          ))}
        </fieldset>
      </Popover.Dropdown>
    </Popover>
  )
}
