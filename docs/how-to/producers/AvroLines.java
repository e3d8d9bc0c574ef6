import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.UUID;

import io.apicurio.registry.resolver.strategy.ArtifactReference;
import io.apicurio.registry.serde.avro.AvroKafkaSerializer;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.DecoderFactory;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.tools.api.RecordReader;

import static java.nio.charset.StandardCharsets.UTF_8;

/** For kafka-console-producer: lines of JSON become Avro records, in the schema that the registry has for the topic. */
public class AvroLines implements RecordReader {
    private final AvroKafkaSerializer<GenericRecord> serializer = new AvroKafkaSerializer<>();
    private String topic;
    private Schema schema;

    @Override
    public void configure(Map<String, ?> properties) {
        topic = properties.get("topic").toString();
        serializer.configure(new HashMap<>(properties), false);
        var subject = ArtifactReference.builder().artifactId(topic + "-value").build();
        schema = serializer.getSchemaResolver().resolveSchemaByArtifactReference(subject).getParsedSchema().getParsedSchema();
    }

    @Override
    public Iterator<ProducerRecord<byte[], byte[]>> readRecords(InputStream input) {
        return new BufferedReader(new InputStreamReader(input, UTF_8)).lines().map(this::record).iterator();
    }

    private ProducerRecord<byte[], byte[]> record(String line) {
        GenericRecord value;
        try {
            value = new GenericDatumReader<GenericRecord>(schema).read(null, DecoderFactory.get().jsonDecoder(schema, line));
        } catch (IOException error) {
            throw new IllegalArgumentException("not a record of " + schema.getFullName() + ": " + line, error);
        }
        byte[] run = UUID.randomUUID().toString().getBytes(UTF_8);
        List<Header> headers = List.of(new RecordHeader("millrace-run", run));
        return new ProducerRecord<>(topic, null, run, serializer.serialize(topic, value), headers);
    }
}
