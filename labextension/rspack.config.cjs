// What the JupyterLab builder does not do: take TypeScript as it is. `tsc` only checks the types.
const typescript = {
  test: /\.tsx?$/,
  loader: "builtin:swc-loader",
  options: {
    jsc: {
      parser: { syntax: "typescript", tsx: true },
      transform: { react: { runtime: "classic" } },
      target: "es2022",
    },
  },
};

module.exports = {
  resolve: { extensions: [".ts", ".tsx", ".js"] },
  module: {
    rules: [typescript, { test: /\.svg$/, issuer: /\.tsx?$/, type: "asset/source" }],
  },
};
