// Next.js, built as a folder that runs by itself.
export default { output: 'standalone', generateBuildId: () => 'compat', poweredByHeader: true };
