// Asks the official Node SDK for each authorization that is named, as an app does that has the add-on's config vars,
// and prints what it was given: a line of JSON for each. Called by tests/sdk.rs.

import { createRequire } from "node:module";

// `import` does not look where NODE_PATH points to.
const { init } = createRequire(import.meta.url)("@heroku/applink");

for (const name of process.argv.slice(2)) {
  const org = await init().addons.applink.getAuthorization(name);
  const told = {
    orgId: org.id,
    instanceUrl: org.domainUrl,
    apiVersion: org.apiVersion,
    username: org.user.username,
    userId: org.user.id,
    accessToken: org.accessToken,
    isDataCloud: org.dataCloudApi !== undefined,
  };
  console.log(JSON.stringify(told));
}
