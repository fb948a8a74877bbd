import type { Ref, SelectHTMLAttributes } from 'react'
import { cx } from './cx'
import { Field, type FieldProps, fieldOf } from './Field'
import css from './Field.module.css'
import { SelectIcon } from './icons'

export interface Option {
  value: string
  label: string
  disabled?: boolean
}

export interface SelectProps extends FieldProps, Omit<SelectHTMLAttributes<HTMLSelectElement>, 'required' | 'size'> {
  options: Option[]
  ref?: Ref<HTMLSelectElement>
}

/** One of a short list: the platform's own control. Takes what react-hook-form's register gives. */
export function Select(props: SelectProps) {
  const [field, { options, className, ...select }] = fieldOf(props)
  return (
    <Field {...field}>
      {(control) => (
        <div className={css.wrap}>
          <select {...select} {...control} className={cx(css.input, className)}>
            {options.map((o) => (
              <option key={o.value} value={o.value} disabled={o.disabled}>
                {o.label}
              </option>
            ))}
          </select>
          <SelectIcon size={15} className={css.chevron} aria-hidden />
        </div>
      )}
    </Field>
  )
}
