import '@mantine/core/styles/Tooltip.css'
import { Tooltip as Kit } from '@mantine/core'
import type { ReactElement } from 'react'
import css from './Floating.module.css'

/** A word or a sentence about a control, at the pointer's and the keyboard's visit. It never holds what is needed. */
export function Tooltip({ label, children }: { label: string; children: ReactElement }) {
  return (
    <Kit
      label={label}
      classNames={{ tooltip: css.tooltip }}
      events={{ hover: true, focus: true, touch: true }}
      openDelay={350}
      multiline
      transitionProps={{ duration: 80 }}
    >
      {children}
    </Kit>
  )
}
