/** The sign of the console: water that goes through a gate and divides. */
export function Logo({ size = 22, className }: { size?: number; className?: string }) {
  return (
    <svg width={size} height={size} viewBox="0 0 32 32" className={className} aria-hidden>
      <rect width="32" height="32" rx="8" fill="var(--accent-fill)" />
      <g fill="none" stroke="#fff" strokeWidth="3" strokeLinecap="round">
        <path d="M7 11h8.5a4 4 0 0 1 4 4v2a4 4 0 0 0 4 4H25" />
        <path d="M7 21h6M19 11h6" opacity=".55" />
      </g>
    </svg>
  )
}
