// The work of the page that tells how to move to workspaces, with the vendor's Node client 2.2.1.
//
// `make` creates everything and runs a job, `end` gets everything and deletes it. Each step prints a line of JSON.
'use strict';

const { BatchAIManagementClient } = require('@azure/arm-batchai');

const yard = Object.fromEntries(
  Object.entries(process.env)
    .filter(([name]) => name.startsWith('YARD_'))
    .map(([name, value]) => [name.slice(5).toLowerCase(), value]),
);
const { group, workspace, experiment, cluster, file_server: fileServer, job } = yard;

const credential = { getToken: async () => ({ token: yard.token, expiresOnTimestamp: Date.now() + 3600e3 }) };
const client = new BatchAIManagementClient(credential, yard.subscription, {
  baseUri: yard.url,
  longRunningOperationRetryTimeout: 1, // seconds between polls: Retry-After is not looked at
});

const say = (did, seen) => console.log(JSON.stringify({ did, ...seen }));

/** Says how a call was refused; it is an error if it was not. */
async function refused(did, call) {
  let answer;
  try {
    answer = await call();
  } catch (error) {
    say(did, { status: error.statusCode, code: error.code, message: error.message });
    return;
  }
  throw new Error(`${did}: not refused: ${JSON.stringify(answer)}`);
}

const account = () => ({ adminUserName: 'yard', adminUserPassword: yard.password });

const clusterParameters = () => ({
  vmSize: 'STANDARD_D1',
  userAccountSettings: account(),
  scaleSettings: { manual: { targetNodeCount: 1 } },
  nodeSetup: {
    mountVolumes: {
      azureFileShares: [
        {
          accountName: yard.account,
          azureFileUrl: `https://${yard.account}.file.core.windows.net/files`,
          credentials: { accountKey: yard.account_key },
          relativeMountPath: 'files',
        },
      ],
    },
  },
});

const fileServerParameters = (disks = 'Standard_LRS') => ({
  vmSize: 'STANDARD_D1',
  sshConfiguration: { userAccountSettings: account() },
  dataDisks: { diskSizeInGB: 10, diskCount: 2, storageAccountType: disks },
});

const jobParameters = (clusterId) => ({
  cluster: { id: clusterId },
  nodeCount: 1,
  stdOutErrPathPrefix: '$AZ_BATCHAI_MOUNT_ROOT/files',
  customToolkitSettings: { commandLine: yard.command },
  constraints: { maxWallClockTime: 'PT5M' },
});

/** The job once it has ended. */
async function pollJob() {
  for (let looks = 0; looks < 300; looks += 1) {
    const seen = await client.jobs.get(group, workspace, experiment, job);
    if (['succeeded', 'failed'].includes(seen.executionState)) return seen;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error('the job does not end');
}

async function make() {
  let made = await client.workspaces.create(group, workspace, { location: yard.location });
  say('workspace', { id: made.id, state: made.provisioningState, location: made.location });
  made = await client.experiments.create(group, workspace, experiment);
  say('experiment', { id: made.id, state: made.provisioningState });
  made = await client.clusters.create(group, workspace, cluster, clusterParameters());
  say('cluster', { id: made.id, state: made.provisioningState, vm_size: made.vmSize });
  const server = await client.fileServers.create(group, workspace, fileServer, fileServerParameters());
  say('file server', { id: server.id, state: server.provisioningState, at: server.mountSettings.mountPoint });
  made = await client.jobs.create(group, workspace, experiment, job, jobParameters(made.id));
  say('job', { id: made.id, state: made.provisioningState, tool: made.toolType });
  const ended = await pollJob();
  say('job ended', { state: ended.executionState, exit_code: ended.executionInfo.exitCode });
  const listed = await client.jobs.listOutputFiles(group, workspace, experiment, job, {
    outputdirectoryid: 'stdouterr',
  });
  const stdout = listed.find((file) => file.name === 'stdout.txt');
  const text = await (await fetch(stdout.downloadUrl)).text();
  say('output', { files: listed.map((file) => file.name).sort(), text });
  await refused('missing', () => client.jobs.get(group, workspace, experiment, 'nothing'));
  await refused('failed', () =>
    client.fileServers.create(group, workspace, 'premium', fileServerParameters('Premium_LRS')),
  );
}

async function end() {
  let seen = await client.clusters.get(group, workspace, cluster);
  say('cluster', { id: seen.id, state: seen.provisioningState, vm_size: seen.vmSize });
  seen = await client.fileServers.get(group, workspace, fileServer);
  say('file server', { id: seen.id, state: seen.provisioningState, at: seen.mountSettings.mountPoint });
  seen = await client.jobs.get(group, workspace, experiment, job);
  say('job', { id: seen.id, state: seen.provisioningState, tool: seen.toolType });
  await client.jobs.deleteMethod(group, workspace, experiment, job);
  await refused('job gone', () => client.jobs.get(group, workspace, experiment, job));
  await client.clusters.deleteMethod(group, workspace, cluster);
  await refused('cluster gone', () => client.clusters.get(group, workspace, cluster));
  await client.fileServers.deleteMethod(group, workspace, fileServer);
  await refused('file server gone', () => client.fileServers.get(group, workspace, fileServer));
}

({ make, end })[process.argv[2]]().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
