import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { defineConfig, type Plugin } from "vite";

const SMALL = 512; // bytes that are not worth packing

/** Beside every file, the same as the gateway sends it: `.br` and `.gz`. */
function packed(folder: string): Plugin {
  const quality = { params: { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY } };
  return {
    name: "packed",
    apply: "build",
    closeBundle() {
      for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
        if (!entry.isFile()) continue;
        const path = `${entry.parentPath}/${entry.name}`;
        const plain = readFileSync(path);
        if (plain.length < SMALL) continue;
        writeFileSync(`${path}.br`, brotliCompressSync(plain, quality));
        writeFileSync(`${path}.gz`, gzipSync(plain, { level: 9 }));
      }
    },
  };
}

export default defineConfig(({ isSsrBuild }) => {
  const folder = process.env.ARO_PAGE_OUT ?? fileURLToPath(new URL("dist", import.meta.url));
  return {
    resolve: {
      alias: {
        // The official client is what everybody else copies: this page has no other.
        "option-aro-client": fileURLToPath(new URL("../../examples/option-aro-client.mjs", import.meta.url)),
      },
    },
    build: {
      outDir: folder,
      emptyOutDir: true,
      target: "es2022",
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
      reportCompressedSize: false,
    },
    plugins: isSsrBuild ? [] : [packed(folder)],
    server: {
      fs: { allow: ["../.."] },
      // While writing: everything but the page comes from a platform that runs.
      proxy: Object.fromEntries(["/api", "/config.json"].map((path) => [path, process.env.ARO_API_URL ?? "http://127.0.0.1:8000"])),
    },
  };
});
