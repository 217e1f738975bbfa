<?php
// PDO. Nothing to register: values are strings.
$db = new PDO("pgsql:host=" . getenv("PGHOST") . ";dbname=" . getenv("PGDATABASE"), "app");
$db->setAttribute(PDO::ATTR_ERRMODE, PDO::ERRMODE_EXCEPTION);

function as_tenant(string $tenant, callable $work)
{
    global $db;
    $db->beginTransaction();
    try {
        $db->prepare("SELECT cordon.set_tenant(?)")->execute([$tenant]);
        $result = $work();
        $db->commit();
        return $result;
    } catch (PDOException $error) {
        $db->rollBack();
        throw $error;
    }
}

function check(bool $condition, string $what): void
{
    if (!$condition) {
        fwrite(STDERR, "$what\n");
        exit(1);
    }
}

$insert = $db->prepare("INSERT INTO account (email, token) VALUES (?, ?)");
$find = $db->prepare("SELECT token FROM account WHERE email = ?");
foreach (["1", "2"] as $tenant) {
    as_tenant($tenant, fn () => $insert->execute(["anna@example.org", "token of $tenant"]));
}
for ($i = 0; $i < 10; $i++) {
    foreach (["1", "2"] as $tenant) {
        $found = as_tenant($tenant, function () use ($find) {
            $find->execute(["anna@example.org"]);
            return $find->fetchAll(PDO::FETCH_COLUMN);
        });
        check($found === ["token of $tenant"], "tenant $tenant found " . json_encode($found));
    }
}
as_tenant("1", function () use ($insert) {
    for ($i = 0; $i < 500; $i++) {
        $insert->execute(["bulk$i@example.org", "bulk $i"]);
    }
});
$count = as_tenant("1", fn () => $db->query("SELECT count(*) FROM account WHERE token::text LIKE 'bulk%'")->fetchColumn());
check($count == 500, "$count rows");
try {
    $find->execute(["anna@example.org"]);
    check(false, "no error without a tenant");
} catch (PDOException $error) {
    check($error->getCode() === "42501" && !str_contains($error->getMessage(), "anna"), $error->getMessage());
}
try {
    as_tenant("1", fn () => $insert->execute(["anna@example.org", "again"]));
    check(false, "no error for a value that is there");
} catch (PDOException $error) {
    check($error->getCode() === "23505" && !str_contains($error->getMessage(), "anna"), $error->getMessage());
}
