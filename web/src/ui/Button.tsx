import type { ButtonHTMLAttributes, MouseEvent, ReactNode, Ref } from 'react'
import css from './Button.module.css'
import { cx, type Icon } from './cx'
import { Tooltip } from './Tooltip'

type Look = 'primary' | 'default' | 'ghost' | 'danger' | 'dangerQuiet'

interface Common extends Omit<ButtonHTMLAttributes<HTMLButtonElement>, 'disabled'> {
  /** Default: default. One primary button stands on a page. */
  look?: Look
  /** Why it cannot be used now; it stays in reach of the keyboard and says so. */
  disabled?: boolean | string
  /** Something runs; it takes no further click. */
  busy?: boolean
  small?: boolean
  ref?: Ref<HTMLButtonElement>
}

export interface ButtonProps extends Common {
  icon?: Icon
  /** As wide as what it stands in. */
  wide?: boolean
  children: ReactNode
}

function states({ disabled, busy, onClick }: Common) {
  const off = Boolean(disabled) || Boolean(busy)
  return {
    'aria-disabled': disabled ? true : undefined,
    'aria-busy': busy || undefined,
    onClick: (e: MouseEvent<HTMLButtonElement>) => {
      if (off) {
        e.preventDefault()
        e.stopPropagation()
        return
      }
      onClick?.(e)
    },
  }
}

/** The class of a button for what is a link. */
export function buttonClass(look: Look = 'default', small = false): string {
  return cx(css.button, css[look], small && css.small)
}

export function Button({
  look = 'default',
  disabled,
  busy,
  small,
  icon: Glyph,
  wide,
  children,
  className,
  onClick,
  ...rest
}: ButtonProps) {
  const button = (
    <button
      type="button"
      {...rest}
      {...states({ disabled, busy, onClick })}
      className={cx(css.button, css[look], small && css.small, wide && css.wide, className)}
    >
      {busy ? <span className={css.spinner} /> : Glyph && <Glyph size={small ? 15 : 16} stroke={1.8} aria-hidden />}
      {children}
    </button>
  )
  return typeof disabled === 'string' ? <Tooltip label={disabled}>{button}</Tooltip> : button
}

export interface IconButtonProps extends Common {
  icon: Icon
  /** Its name; shown as a tooltip. */
  label: string
  /** Without the tooltip, where the name stands beside it. */
  bare?: boolean
}

export function IconButton({
  look = 'ghost',
  disabled,
  busy,
  small,
  icon: Glyph,
  label,
  bare,
  className,
  onClick,
  ...rest
}: IconButtonProps) {
  const button = (
    <button
      type="button"
      aria-label={label}
      {...rest}
      {...states({ disabled, busy, onClick })}
      className={cx(css.button, css[look], css.icon, small && css.small, className)}
    >
      {busy ? <span className={css.spinner} /> : <Glyph size={small ? 16 : 18} stroke={1.7} aria-hidden />}
    </button>
  )
  return bare ? button : <Tooltip label={typeof disabled === 'string' ? disabled : label}>{button}</Tooltip>
}
