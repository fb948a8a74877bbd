export const apis = {
  title: 'APIs',
} as const
