// The work of the page that tells how to move to workspaces, with the vendor's Java client 1.41.4.
//
// `make` creates everything and runs a job, `end` gets everything and deletes it. Each step prints a line of JSON.

import com.fasterxml.jackson.databind.ObjectMapper;
import com.microsoft.azure.AzureResponseBuilder;
import com.microsoft.azure.CloudException;
import com.microsoft.azure.management.batchai.BatchAICluster;
import com.microsoft.azure.management.batchai.BatchAIExperiment;
import com.microsoft.azure.management.batchai.BatchAIFileServer;
import com.microsoft.azure.management.batchai.BatchAIJob;
import com.microsoft.azure.management.batchai.BatchAIWorkspace;
import com.microsoft.azure.management.batchai.ExecutionState;
import com.microsoft.azure.management.batchai.OutputFile;
import com.microsoft.azure.management.batchai.StorageAccountType;
import com.microsoft.azure.management.batchai.implementation.BatchAIManager;
import com.microsoft.azure.serializer.AzureJacksonAdapter;
import com.microsoft.rest.RestClient;
import com.microsoft.rest.RestException;
import com.microsoft.rest.credentials.TokenCredentials;
import com.microsoft.rest.protocol.ResponseBuilder;
import com.microsoft.rest.protocol.SerializerAdapter;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeMap;

public class SeedPage {
    static final ObjectMapper JSON = new ObjectMapper();
    static final BatchAIManager manager = manager();

    /** What is to be worked on. */
    static String yard(String name) {
        return System.getenv("YARD_" + name);
    }

    /** By itself the client answers a GET of what is not there with null, and the reason is lost. */
    static class NotFoundIsAnError implements ResponseBuilder.Factory {
        @Override
        public <T, E extends RestException> ResponseBuilder<T, E> newInstance(SerializerAdapter<?> serializer) {
            return new AzureResponseBuilder.Factory().<T, E>newInstance(serializer).withThrowOnGet404(true);
        }
    }

    static BatchAIManager manager() {
        RestClient client = new RestClient.Builder()
            .withBaseUrl(yard("URL"))
            .withCredentials(new TokenCredentials("Bearer", yard("TOKEN")))
            .withSerializerAdapter(new AzureJacksonAdapter())
            .withResponseBuilderFactory(new NotFoundIsAnError())
            .build();
        BatchAIManager manager = BatchAIManager.authenticate(client, yard("SUBSCRIPTION"));
        manager.inner().withLongRunningOperationRetryTimeout(1); // seconds between polls; else 30
        return manager;
    }

    static void say(String did, Object... namesAndValues) throws Exception {
        Map<String, Object> line = new LinkedHashMap<>(Map.of("did", did));
        for (int i = 0; i < namesAndValues.length; i += 2) {
            line.put((String) namesAndValues[i], namesAndValues[i + 1]);
        }
        System.out.println(JSON.writeValueAsString(line));
    }

    interface Call {
        Object answer();
    }

    /** Says how a call was refused; it is an error if it was not. */
    static void refused(String did, Call call) throws Exception {
        try {
            throw new IllegalStateException(did + ": not refused, but answered " + call.answer());
        } catch (CloudException error) {
            say(did, "status", error.response() == null ? null : error.response().code(),
                "code", error.body().code(), "message", error.body().message());
        }
    }

    static BatchAIWorkspace workspace() {
        return manager.workspaces().getByResourceGroup(yard("GROUP"), yard("WORKSPACE"));
    }

    static BatchAIJob pollJob(BatchAIExperiment experiment) throws Exception {
        for (int looks = 0; looks < 300; looks++) {
            BatchAIJob job = experiment.jobs().getByName(yard("JOB"));
            if (job.executionState().equals(ExecutionState.SUCCEEDED)
                || job.executionState().equals(ExecutionState.FAILED)) {
                return job;
            }
            Thread.sleep(200);
        }
        throw new IllegalStateException("the job does not end");
    }

    static String download(String url) throws Exception {
        HttpRequest request = HttpRequest.newBuilder(URI.create(url)).build();
        return HttpClient.newHttpClient().send(request, BodyHandlers.ofString()).body();
    }

    static void say(BatchAICluster cluster) throws Exception {
        say("cluster", "id", cluster.id(), "state", cluster.provisioningState().toString(),
            "vm_size", cluster.vmSize());
    }

    static void say(BatchAIFileServer server) throws Exception {
        say("file server", "id", server.id(), "state", server.provisioningState().toString(),
            "at", server.mountSettings().mountPoint());
    }

    static void say(BatchAIJob job) throws Exception {
        say("job", "id", job.id(), "state", job.provisioningState().toString(), "tool", job.toolType().toString());
    }

    static BatchAIFileServer createFileServer(BatchAIWorkspace workspace, String name, StorageAccountType disks) {
        return workspace.fileServers().define(name)
            .withDataDisks(10, 2, disks)
            .withVMSize("STANDARD_D1")
            .withUserName("yard")
            .withPassword(yard("PASSWORD"))
            .create();
    }

    static void make() throws Exception {
        BatchAIWorkspace workspace = manager.workspaces().define(yard("WORKSPACE"))
            .withRegion(yard("LOCATION"))
            .withExistingResourceGroup(yard("GROUP"))
            .create();
        say("workspace", "id", workspace.id(), "state", workspace.provisioningState().toString(),
            "location", workspace.regionName());
        BatchAIExperiment experiment = workspace.experiments().define(yard("EXPERIMENT")).create();
        say("experiment", "id", experiment.id(), "state", experiment.provisioningState().toString());

        BatchAICluster cluster = workspace.clusters().define(yard("CLUSTER"))
            .withVMSize("STANDARD_D1")
            .withUserName("yard")
            .withPassword(yard("PASSWORD"))
            .withManualScale(1)
            .defineAzureFileShare()
                .withStorageAccountName(yard("ACCOUNT"))
                .withAzureFileUrl("https://" + yard("ACCOUNT") + ".file.core.windows.net/files")
                .withRelativeMountPath("files")
                .withAccountKey(yard("ACCOUNT_KEY"))
                .attach()
            .create();
        say(cluster);
        say(createFileServer(workspace, yard("FILE_SERVER"), StorageAccountType.STANDARD_LRS));

        BatchAIJob job = experiment.jobs().define(yard("JOB"))
            .withExistingCluster(cluster)
            .withNodeCount(1)
            .withStdOutErrPathPrefix("$AZ_BATCHAI_MOUNT_ROOT/files")
            .defineCustomToolkit().withCommandLine(yard("COMMAND")).attach()
            .create();
        say(job);
        job = pollJob(experiment);
        say("job ended", "state", job.executionState().toString(), "exit_code", job.executionInfo().exitCode());

        Map<String, String> files = new TreeMap<>();
        for (OutputFile file : job.listFiles("stdouterr")) {
            files.put(file.name(), file.downloadUrl());
        }
        say("output", "files", files.keySet(), "text", download(files.get("stdout.txt")));
        refused("missing", () -> experiment.jobs().getByName("nothing"));
        refused("failed", () -> createFileServer(workspace, "premium", StorageAccountType.PREMIUM_LRS));
    }

    static void end() throws Exception {
        BatchAIWorkspace workspace = workspace();
        say(workspace.clusters().getByName(yard("CLUSTER")));
        say(workspace.fileServers().getByName(yard("FILE_SERVER")));
        BatchAIExperiment experiment = workspace.experiments().getByName(yard("EXPERIMENT"));
        say(experiment.jobs().getByName(yard("JOB")));

        experiment.jobs().deleteByName(yard("JOB"));
        refused("job gone", () -> experiment.jobs().getByName(yard("JOB")));
        workspace.clusters().deleteByName(yard("CLUSTER"));
        refused("cluster gone", () -> workspace.clusters().getByName(yard("CLUSTER")));
        workspace.fileServers().deleteByName(yard("FILE_SERVER"));
        refused("file server gone", () -> workspace.fileServers().getByName(yard("FILE_SERVER")));
    }

    public static void main(String[] arguments) throws Exception {
        if (arguments[0].equals("make")) {
            make();
        } else {
            end();
        }
        System.exit(0); // the client's threads would wait for more to do
    }
}
