import type { Ref, SelectHTMLAttributes } from 'react'
import { cx } from './cx'
import { Field, type FieldProps, fieldOf } from './Field'
import css from './Field.module.css'
import { SelectIcon } from './icons'

export interface Option {
  value: string
  label: string
  disabled?: boolean
  /** Options that follow one another with the same group stand below its name. */
  group?: string
}

export interface SelectProps extends FieldProps, Omit<SelectHTMLAttributes<HTMLSelectElement>, 'required' | 'size'> {
  options: Option[]
  ref?: Ref<HTMLSelectElement>
}

function grouped(options: Option[]): { group: string; list: Option[] }[] {
  const out: { group: string; list: Option[] }[] = []
  for (const o of options) {
    const last = out.at(-1)
    if (last && last.group === (o.group ?? '')) last.list.push(o)
    else out.push({ group: o.group ?? '', list: [o] })
  }
  return out
}

/** One of a short list: the platform's own control. Takes what react-hook-form's register gives. */
export function Select(props: SelectProps) {
  const [field, { options, className, ...select }] = fieldOf(props)
  return (
    <Field {...field}>
      {(control) => (
        <div className={css.wrap}>
          <select {...select} {...control} className={cx(css.input, className)}>
            {grouped(options).map(({ group, list }) => {
              const own = list.map((o) => (
                <option key={o.value} value={o.value} disabled={o.disabled}>
                  {o.label}
                </option>
              ))
              return group ? (
                <optgroup key={group} label={group}>
                  {own}
                </optgroup>
              ) : (
                own
              )
            })}
          </select>
          <SelectIcon size={15} className={css.chevron} aria-hidden />
        </div>
      )}
    </Field>
  )
}
