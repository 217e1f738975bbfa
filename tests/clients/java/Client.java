// JDBC. stringtype=unspecified lets the server choose the type of setString, as for any type that JDBC does not know.
import java.sql.*;

public class Client {
    interface Work<T> { T run() throws SQLException; }

    static Connection connection;

    static <T> T asTenant(String tenant, Work<T> work) throws SQLException {
        try (PreparedStatement set = connection.prepareStatement("SELECT cordon.set_tenant(?)")) {
            set.setString(1, tenant);
            set.execute();
            T result = work.run();
            connection.commit();
            return result;
        } catch (SQLException error) {
            connection.rollback();
            throw error;
        }
    }

    static void check(boolean condition, String what) {
        if (!condition) throw new AssertionError(what);
    }

    public static void main(String[] arguments) throws SQLException {
        // After five uses a statement is prepared on the server.
        connection = DriverManager.getConnection(System.getenv("JDBC_URL") + "&stringtype=unspecified", "app", "");
        connection.setAutoCommit(false);
        PreparedStatement insert = connection.prepareStatement("INSERT INTO account (email, token) VALUES (?, ?)");
        PreparedStatement find = connection.prepareStatement("SELECT token FROM account WHERE email = ?");
        for (String tenant : new String[] {"1", "2"}) {
            insert.setString(1, "anna@example.org");
            insert.setString(2, "token of " + tenant);
            check(asTenant(tenant, insert::executeUpdate) == 1, "insert");
        }
        find.setString(1, "anna@example.org");
        for (int i = 0; i < 10; i++) {
            for (String tenant : new String[] {"1", "2"}) {
                String found = asTenant(tenant, () -> {
                    ResultSet rows = find.executeQuery();
                    check(rows.next(), "a row");
                    String token = rows.getString(1);
                    check(!rows.next(), "one row");
                    return token;
                });
                check(found.equals("token of " + tenant), found);
            }
        }
        asTenant("1", () -> {
            for (int i = 0; i < 500; i++) {
                insert.setString(1, "bulk" + i + "@example.org");
                insert.setString(2, "bulk " + i);
                insert.addBatch();
            }
            return insert.executeBatch();
        });
        PreparedStatement some = connection.prepareStatement("SELECT count(*) FROM account WHERE email = ANY (?)");
        some.setArray(1, connection.createArrayOf("text", new Object[] {"anna@example.org", "bulk7@example.org", "x"}));
        check(asTenant("1", () -> { ResultSet rows = some.executeQuery(); rows.next(); return rows.getInt(1); }) == 2, "ANY");
        try {
            find.executeQuery();
            throw new AssertionError("no error without a tenant");
        } catch (SQLException error) {
            connection.rollback();
            check(error.getSQLState().equals("42501") && !error.getMessage().contains("anna"), error.toString());
        }
        try {
            insert.setString(1, "anna@example.org");
            asTenant("1", insert::executeUpdate);
            throw new AssertionError("no error for a value that is there");
        } catch (SQLException error) {
            check(error.getSQLState().equals("23505") && !error.getMessage().contains("anna"), error.toString());
        }
        connection.close();
    }
}
