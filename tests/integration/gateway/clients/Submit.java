// Posts a body with the HTTP client of Java's own library, which offers HTTP/2 with every request unless it is told not to.
import java.io.ByteArrayInputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;

public class Submit {
    /** Arguments: address, key, media type, a file with the body, and `length` or `chunked`. Prints status, version and body. */
    public static void main(String[] args) throws Exception {
        var bytes = Files.readAllBytes(Path.of(args[3]));
        var stream = BodyPublishers.ofInputStream(() -> new ByteArrayInputStream(bytes));
        var body = args[4].equals("chunked") ? stream : BodyPublishers.ofByteArray(bytes);
        var client = HttpClient.newHttpClient();
        var request = HttpRequest.newBuilder(URI.create(args[0]))
            .header("Authorization", "Bearer " + args[1]).header("Content-Type", args[2]).POST(body).build();
        var first = client.send(request, BodyHandlers.ofString());
        System.out.println(first.statusCode() + " " + first.version() + " " + first.body());
    }
}
