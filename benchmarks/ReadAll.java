import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.Statement;
import java.util.Properties;

/** Reads every value of a query through JDBC and prints the number of rows. */
public class ReadAll {
    public static void main(String[] given) throws Exception {
        Properties properties = new Properties();
        properties.setProperty("user", "bench");
        long rows = 0;
        try (Connection connection = DriverManager.getConnection(given[0], properties)) {
            connection.setAutoCommit(!given[0].startsWith("jdbc:postgresql"));
            try (Statement statement = connection.createStatement()) {
                statement.setFetchSize(10_000);
                try (ResultSet found = statement.executeQuery(given[1])) {
                    int columns = found.getMetaData().getColumnCount();
                    while (found.next()) {
                        for (int i = 1; i <= columns; i++) {
                            found.getObject(i);
                        }
                        rows++;
                    }
                }
            }
        }
        System.out.println(rows);
        System.exit(0);
    }
}
