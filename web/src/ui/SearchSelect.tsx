import '@mantine/core/styles/Combobox.css'
import { Combobox, useCombobox } from '@mantine/core'
import { useState } from 'react'
import { useI18n } from '../i18n'
import { Field, type FieldProps, fieldOf } from './Field'
import css from './Field.module.css'
import floating from './Floating.module.css'
import { SelectIcon } from './icons'
import { Kit } from './kit/Kit'
import type { Option } from './Select'

export interface SearchSelectProps extends FieldProps {
  options: Option[]
  value: string
  onChange: (value: string) => void
  placeholder?: string
  /** Where the list is the server's: told what was typed; then `options` are its answer and not filtered here. */
  onSearch?: (text: string) => void
}

const most = 100

/** One of a long list, found by typing (WAI-ARIA combobox with a list). */
export function SearchSelect(props: SearchSelectProps) {
  return (
    <Kit>
      <Box {...props} />
    </Kit>
  )
}

function Box(props: SearchSelectProps) {
  const [field, { options, value, onChange, placeholder, onSearch }] = fieldOf(props)
  const { t } = useI18n()
  const [typed, setTyped] = useState<string | null>(null)
  const box = useCombobox({
    onDropdownClose: () => {
      box.resetSelectedOption()
      setTyped(null)
    },
  })
  const chosen = options.find((o) => o.value === value)
  const wanted = (typed ?? '').trim().toLowerCase()
  const shown = (
    onSearch || !wanted ? options : options.filter((o) => `${o.label} ${o.value}`.toLowerCase().includes(wanted))
  ).slice(0, most)
  return (
    <Combobox
      store={box}
      classNames={{ dropdown: floating.panel }}
      onOptionSubmit={(v) => {
        onChange(v)
        box.closeDropdown()
      }}
      transitionProps={{ duration: 80 }}
    >
      <Field {...field}>
        {(control) => (
          <div className={css.wrap}>
            <Combobox.Target withExpandedAttribute>
              <input
                {...control}
                role="combobox"
                aria-expanded={box.dropdownOpened}
                aria-controls={box.dropdownOpened ? (box.listId ?? undefined) : undefined}
                className={css.input}
                autoComplete="off"
                spellCheck={false}
                placeholder={placeholder ?? chosen?.label}
                value={typed ?? chosen?.label ?? value}
                onChange={(e) => {
                  setTyped(e.target.value)
                  onSearch?.(e.target.value)
                  box.openDropdown()
                  box.updateSelectedOptionIndex()
                }}
                onClick={() => box.openDropdown()}
                onBlur={() => box.closeDropdown()}
              />
            </Combobox.Target>
            <SelectIcon size={15} className={css.chevron} aria-hidden />
          </div>
        )}
      </Field>
      <Combobox.Dropdown>
        <Combobox.Options className={floating.options} aria-label={field.label}>
          {shown.length === 0 && <Combobox.Empty className={floating.none}>{t('ui.noOptions')}</Combobox.Empty>}
          {shown.map((o) => (
            <Combobox.Option
              key={o.value}
              value={o.value}
              disabled={o.disabled}
              active={o.value === value}
              className={floating.item}
            >
              {o.label}
            </Combobox.Option>
          ))}
        </Combobox.Options>
      </Combobox.Dropdown>
    </Combobox>
  )
}
