import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.math.BigInteger;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.security.AlgorithmParameters;
import java.security.KeyFactory;
import java.security.PublicKey;
import java.security.Signature;
import java.security.spec.ECGenParameterSpec;
import java.security.spec.ECParameterSpec;
import java.security.spec.ECPoint;
import java.security.spec.ECPublicKeySpec;
import java.security.spec.EdECPoint;
import java.security.spec.EdECPublicKeySpec;
import java.security.spec.NamedParameterSpec;
import java.time.Instant;
import java.util.Base64;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Says of each line whose proof it is, by what the JDK has itself. It has no JSON, so that
 * plain strings and numbers are found by a pattern, as is enough for what we sign.
 */
public class Lines {
    static final String COUNTERSIGN = System.getenv("COUNTERSIGN_URL");
    static final String ALGORITHM = System.getenv("PROOF_ALGORITHM");

    public static void main(String[] arguments) throws Exception {
        var request = HttpRequest.newBuilder(URI.create(COUNTERSIGN + "/.well-known/jwks.json"));
        var keys = HttpClient.newHttpClient().send(request.build(), BodyHandlers.ofString()).body();
        var lines = new BufferedReader(new InputStreamReader(System.in));
        for (String proof; (proof = lines.readLine()) != null; ) {
            try {
                System.out.println(phoneNumber(proof, keys));
            } catch (Exception error) {
                System.out.println("refused: " + error.getMessage());
            }
        }
    }

    static String phoneNumber(String proof, String keys) throws Exception {
        var parts = proof.split("\\.", -1);
        require(parts.length == 3, "no token");
        var header = text(parts[0]);
        require(member(header, "alg").equals(ALGORITHM), "another algorithm");
        require(member(header, "typ").equals("countersign-proof+jwt"), "another kind of token");
        var key = keyOf(member(header, "kid"), keys);
        var isEd = ALGORITHM.equals("EdDSA");
        var signature = Signature.getInstance(isEd ? "Ed25519" : "SHA256withECDSAinP1363Format");
        signature.initVerify(key);
        signature.update((parts[0] + "." + parts[1]).getBytes(StandardCharsets.US_ASCII));
        require(signature.verify(Base64.getUrlDecoder().decode(parts[2])), "another signature");
        var claims = text(parts[1]);
        require(member(claims, "iss").equals(COUNTERSIGN), "another issuer");
        require(member(claims, "aud").equals("countersign"), "another audience");
        var now = Instant.now().getEpochSecond();
        require(now < Long.parseLong(member(claims, "exp")) + 5, "over");
        require(now + 5 >= Long.parseLong(member(claims, "iat")), "not yet");
        return member(claims, "phone_number");
    }

    static PublicKey keyOf(String kid, String keys) throws Exception {
        for (Matcher each = Pattern.compile("\\{[^{}]*\\}").matcher(keys); each.find(); ) {
            var key = each.group();
            if (!member(key, "kid").equals(kid) || !member(key, "alg").equals(ALGORITHM)) continue;
            var x = Base64.getUrlDecoder().decode(member(key, "x"));
            if (ALGORITHM.equals("EdDSA")) return ed25519(x);
            var y = Base64.getUrlDecoder().decode(member(key, "y"));
            var curve = AlgorithmParameters.getInstance("EC");
            curve.init(new ECGenParameterSpec("secp256r1"));
            var point = new ECPoint(new BigInteger(1, x), new BigInteger(1, y));
            var spec = new ECPublicKeySpec(point, curve.getParameterSpec(ECParameterSpec.class));
            return KeyFactory.getInstance("EC").generatePublic(spec);
        }
        throw new Exception("no such key");
    }

    /** RFC 8032, 5.1.2: little-endian, the highest bit is the sign of x. */
    static PublicKey ed25519(byte[] bytes) throws Exception {
        var bigEndian = new byte[bytes.length];
        for (int i = 0; i < bytes.length; i++) bigEndian[i] = bytes[bytes.length - 1 - i];
        var isOdd = (bigEndian[0] & 0x80) != 0;
        bigEndian[0] &= 0x7f;
        var point = new EdECPoint(isOdd, new BigInteger(1, bigEndian));
        return KeyFactory.getInstance("Ed25519")
                .generatePublic(new EdECPublicKeySpec(NamedParameterSpec.ED25519, point));
    }

    static String text(String part) {
        return new String(Base64.getUrlDecoder().decode(part), StandardCharsets.UTF_8);
    }

    static String member(String object, String name) {
        var found = Pattern.compile("\"" + name + "\"\\s*:\\s*(?:\"([^\"]*)\"|(\\d+))").matcher(object);
        if (!found.find()) return "";
        return found.group(1) != null ? found.group(1) : found.group(2);
    }

    static void require(boolean holds, String otherwise) throws Exception {
        if (!holds) throw new Exception(otherwise);
    }
}
