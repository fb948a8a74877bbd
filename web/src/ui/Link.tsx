import { Link as RouterLink, useNavigate } from '@tanstack/react-router'
import { type AnchorHTMLAttributes, type ReactNode, type Ref, useCallback } from 'react'
import { buttonClass } from './Button'
import css from './Button.module.css'
import { cx, type Icon } from './cx'
import { ExternalIcon } from './icons'

export interface LinkProps extends Omit<AnchorHTMLAttributes<HTMLAnchorElement>, 'href'> {
  /** A path of the console with its query, or an address outside of it. */
  to: string
  /** plain: an underlined link; quiet: the text's own colour; bare: no look at all. Default: plain. */
  look?: 'plain' | 'quiet' | 'bare'
  children: ReactNode
  ref?: Ref<HTMLAnchorElement>
  /** False: the page stays scrolled as it is, since what opens lies over it. Default: true. */
  resetScroll?: boolean
}

/** A link; within the console it does not load the page anew, and its page is fetched when the pointer comes near. */
export function Link({ to, look = 'plain', className, children, resetScroll, ...rest }: LinkProps) {
  const classes = cx(look === 'plain' && css.link, look === 'quiet' && css.quiet, className)
  if (!to.startsWith('/')) {
    return (
      <a {...rest} href={to} className={classes} target="_blank" rel="noreferrer">
        {children} <ExternalIcon size={13} aria-hidden />
      </a>
    )
  }
  const { path, search } = split(to)
  return (
    <RouterLink
      {...rest}
      resetScroll={resetScroll}
      to={path}
      search={search}
      className={classes}
      activeProps={{}}
      activeOptions={{ exact: true }}
    >
      {children}
    </RouterLink>
  )
}

/** Takes a path and its query apart, as the router wants them. */
export function split(to: string): { path: string; search: Record<string, string> } {
  const [path = '/', query = ''] = to.split('?')
  return { path, search: Object.fromEntries(new URLSearchParams(query)) }
}

/** A link that looks like a button. */
export function LinkButton({
  to,
  look,
  small,
  icon: Glyph,
  children,
}: {
  to: string
  look?: Parameters<typeof buttonClass>[0]
  small?: boolean
  icon?: Icon
  children: ReactNode
}) {
  return (
    <Link to={to} look="bare" className={buttonClass(look, small)}>
      {Glyph && <Glyph size={16} stroke={1.8} aria-hidden />}
      {children}
    </Link>
  )
}

/** Goes to a path of the console with its query, as a Link would. */
export function useGo(): (to: string, options?: { replace?: boolean }) => void {
  const navigate = useNavigate()
  return useCallback(
    (to, options) => {
      const { path, search } = split(to)
      void navigate({ to: path, search: search as never, replace: options?.replace })
    },
    [navigate],
  )
}
