# Myelin in a container: the same program in every mode. Settings come from the environment (docs/settings.md); data is in /data.
FROM node:24-bookworm-slim AS build
WORKDIR /myelin
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json ./
COPY bin bin
COPY schemas schemas
COPY pkg pkg
COPY components components
RUN node bin/run.mjs build && npm prune --omit=dev --ignore-scripts

FROM node:24-bookworm-slim
WORKDIR /myelin
ENV NODE_ENV=production MYELIN_DATA_DIR=/data MYELIN_LISTEN=0.0.0.0:8008 MYELIN_LOG_FORMAT=json
COPY --from=build /myelin/package.json ./
COPY --from=build /myelin/bin bin
COPY --from=build /myelin/node_modules node_modules
COPY --from=build /myelin/dist dist
RUN mkdir /data && chown node:node /data
USER node
VOLUME /data
EXPOSE 8008
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:8008/health').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "bin/myelin.mjs"]
