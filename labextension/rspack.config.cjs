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

const { rspack } = require("@rspack/core");

module.exports = {
  // One file, so that JupyterLab's start needs one request more.
  output: { filename: "remoteEntry.[contenthash].js" },
  plugins: [new rspack.optimize.LimitChunkCountPlugin({ maxChunks: 1 })],
  resolve: { extensions: [".ts", ".tsx", ".js"] },
  module: {
    rules: [typescript, { test: /\.svg$/, issuer: /\.tsx?$/, type: "asset/source" }],
  },
};
