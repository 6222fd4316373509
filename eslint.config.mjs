import tseslint from 'typescript-eslint';

export default tseslint.config(
  { ignores: ['**/dist/**', '**/node_modules/**', '.weir/**', '.nx/**'] },
  ...tseslint.configs.recommended,
  {
    files: ['**/*.ts'],
    languageOptions: { parserOptions: { project: './tsconfig.check.json', tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      // Configuration is read once, in main: the environment is nobody else's business.
      'no-restricted-properties': [
        'error',
        { object: 'process', property: 'env', message: 'Read the environment in main.ts and pass values down.' },
      ],
      // Data flows one way: an app stands on libs, never on another app.
      'no-restricted-imports': [
        'error',
        { patterns: [{ group: ['**/apps/*'], message: 'No app imports another app.' }] },
      ],
    },
  },
  {
    files: ['**/main.ts', '**/*.test.ts', '**/*.test-support.ts', '**/*.fixture.ts', 'libs/testing/**'],
    rules: { 'no-restricted-properties': 'off' },
  },
  { files: ['**/*.js'], rules: { '@typescript-eslint/no-require-imports': 'off' } },
);
