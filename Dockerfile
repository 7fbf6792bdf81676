# A server of trained runs. Untested where it was written: there was no container engine at hand.
#   docker build -t foldin .
#   docker run -p 8080:8080 -v "$PWD/runs:/runs:ro" -v foldin-data:/data -e FOLDIN_TOKEN=... foldin serve /runs/mine --host 0.0.0.0

FROM rust:1-slim-bookworm AS kernels
RUN apt-get update \
  && apt-get install --no-install-recommends -y nodejs \
  && rm -rf /var/lib/apt/lists/*
WORKDIR /foldin
COPY package.json ./
COPY scripts ./scripts
COPY native ./native
RUN node scripts/build-native.mjs && ls native/foldin.*.node

FROM node:22-bookworm-slim AS build
WORKDIR /foldin
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY tsconfig.json ./
COPY scripts ./scripts
COPY src ./src
COPY studio ./studio
RUN npm run build && npm prune --omit=dev

FROM node:22-bookworm-slim
ENV NODE_ENV=production
WORKDIR /foldin
COPY --from=build /foldin/package.json ./
COPY --from=build /foldin/node_modules ./node_modules
COPY --from=build /foldin/dist ./dist
COPY --from=kernels /foldin/native/foldin.*.node ./native/
RUN mkdir /data && chown node:node /data
USER node
WORKDIR /data
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s CMD node -e "fetch('http://127.0.0.1:8080/health/ready').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"
ENTRYPOINT ["node", "/foldin/dist/cli/main.js"]
CMD ["--help"]
