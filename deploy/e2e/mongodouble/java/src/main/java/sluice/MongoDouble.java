package sluice;

import de.bwaldvogel.mongo.MongoBackend;
import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.MongoVersion;
import de.bwaldvogel.mongo.backend.h2.H2Backend;
import de.bwaldvogel.mongo.backend.memory.MemoryBackend;
import de.bwaldvogel.mongo.bson.Document;
import de.bwaldvogel.mongo.wire.message.MongoMessage;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.List;
import org.h2.mvstore.MVStore;

/**
 * Serves the MongoDB protocol on loopback until its standard input closes or it is told to end.
 *
 * <p>Arguments: {@code --port N} (default 0, a free one) and {@code --data FILE} (default: in memory).
 * The first and only line on standard output is the connection string.
 */
public final class MongoDouble {
    private MongoDouble() {}

    /**
     * What the server says it is. The enum of mongo-java-server ends at wire version 8; today's
     * drivers want 9 or more, which is MongoDB 4.4. Nothing of 4.4 that we use is missing.
     */
    private static final class Version implements MongoVersion {
        @Override
        public List<Integer> getVersionArray() {
            return List.of(4, 4, 0);
        }

        @Override
        public int getWireVersion() {
            return 9;
        }
    }

    /**
     * The H2 backend with MongoDB's promise: what was acknowledged survives the end of the process.
     * By itself it saves once a second, so that a killed server forgets acknowledged writes.
     */
    private static final class DurableBackend extends H2Backend {
        DurableBackend(String file) {
            super(new MVStore.Builder().fileName(file).autoCommitDisabled().open());
        }

        @Override
        public Document handleMessage(MongoMessage message) {
            Document reply = super.handleMessage(message);
            if (getMvStore().hasUnsavedChanges()) {
                commit();
            }
            return reply;
        }
    }

    public static void main(String[] args) throws Exception {
        int port = 0;
        String data = "";
        for (int i = 0; i < args.length; i += 2) {
            if (i + 1 == args.length) {
                throw new IllegalArgumentException(args[i] + " needs a value");
            }
            switch (args[i]) {
                case "--port" -> port = Integer.parseInt(args[i + 1]);
                case "--data" -> data = args[i + 1];
                default -> throw new IllegalArgumentException("unknown argument " + args[i]);
            }
        }
        MongoBackend backend = data.isEmpty() ? new MemoryBackend() : new DurableBackend(data);
        backend.version(new Version());
        MongoServer server = new MongoServer(backend);
        server.bind(new InetSocketAddress("127.0.0.1", port));
        Runtime.getRuntime().addShutdownHook(new Thread(server::shutdownNow));
        System.out.println("mongodb://127.0.0.1:" + server.getLocalAddress().getPort());
        System.out.flush();
        awaitEndOfInput();
        System.exit(0);
    }

    /** Whoever started this server holds the other end of its standard input; when they are gone, it ends. */
    private static void awaitEndOfInput() throws IOException {
        byte[] sink = new byte[256];
        while (System.in.read(sink) >= 0) {
            // Nothing that is written here means anything.
        }
    }
}
