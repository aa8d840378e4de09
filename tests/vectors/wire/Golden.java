// SPDX-License-Identifier: Apache-2.0
// Writes the records that tests/test_wire_batch.c knows with Kafka's own producer: one batch of forty
// to topics java-CODEC and java-append, and to java-txn two transactions, committed and aborted.
// usage: java -cp 'libs/*' Golden.java BROKERS
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.ByteArraySerializer;

public class Golden {
    static final int RECORDS = 40;
    static final long TIME = 1700000000000L;

    static KafkaProducer<byte[], byte[]> open(String brokers, String codec, String transaction) {
        Properties p = new Properties();
        p.put("bootstrap.servers", brokers);
        p.put("compression.type", codec);
        p.put("linger.ms", "2000");
        p.put("batch.size", "1000000");
        if (transaction != null) p.put("transactional.id", transaction);
        return new KafkaProducer<>(p, new ByteArraySerializer(), new ByteArraySerializer());
    }

    static byte[] field(int i, int nulls, int empties, String text) {
        return i == nulls ? null : i == empties ? new byte[0] : text.getBytes();
    }

    static ProducerRecord<byte[], byte[]> record(String topic, int i) {
        List<Header> headers = new ArrayList<>();
        if (i % 3 >= 1) headers.add(new RecordHeader("a", i % 2 == 0 ? null : "x".repeat(i).getBytes()));
        if (i % 3 >= 2) headers.add(new RecordHeader("a", new byte[0]));
        return new ProducerRecord<>(topic, 0, TIME + 1000L * ((i * 7 + 20) % RECORDS),
                field(i, 3, 4, "key-" + i), field(i, 5, 6, ("value " + i + ' ').repeat(i)), headers);
    }

    static void write(KafkaProducer<byte[], byte[]> producer, String topic) {
        for (int i = 0; i < RECORDS; i++) producer.send(record(topic, i));
        producer.flush();
    }

    public static void main(String[] arguments) {
        for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
            try (var producer = open(arguments[0], codec, null)) {
                write(producer, "java-" + codec);
            }
        }
        try (var producer = open(arguments[0], "none", null)) {
            write(producer, "java-append");
        }
        try (var producer = open(arguments[0], "none", "golden")) {
            producer.initTransactions();
            producer.beginTransaction();
            write(producer, "java-txn");
            producer.commitTransaction();
            producer.beginTransaction();
            write(producer, "java-txn");
            producer.abortTransaction();
        }
    }
}
