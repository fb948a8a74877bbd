import type { ComponentType, SVGProps } from 'react'

/** Class names that are there, in one text. */
export function cx(...names: (string | false | null | undefined)[]): string {
  return names.filter(Boolean).join(' ')
}

/** An icon of icons.ts. */
export type Icon = ComponentType<Omit<SVGProps<SVGSVGElement>, 'stroke'> & { size?: number; stroke?: number }>
