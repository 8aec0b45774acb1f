-- A headless Neovim with `coec lsp` attached: what an editor's user sees, read back. `run` starts it in a folder with
-- the specs of the repository.

local failed = false

local function check(name, holds, seen)
    io.stdout:write((holds and "ok     " or "FAILED ") .. name .. (holds and "" or ": " .. vim.inspect(seen)) .. "\n")
    failed = failed or not holds
end

local client = vim.lsp.start_client({ name = "coec", cmd = { vim.env.COEC, "lsp" }, root_dir = vim.fn.getcwd() })

-- Opens a file, and waits until the server has said what it thinks of it.
local function open(path)
    vim.cmd("edit " .. path)
    vim.bo.filetype = "coe"
    local buffer = vim.api.nvim_get_current_buf()
    local heard = false
    local listener = vim.api.nvim_create_autocmd("DiagnosticChanged", { callback = function() heard = true end })
    vim.lsp.buf_attach_client(buffer, client)
    vim.wait(10000, function() return heard end, 5)
    vim.api.nvim_del_autocmd(listener)
    return buffer
end

-- The answer to a request about the cursor's place.
local function ask(buffer, method, more)
    local params = vim.tbl_extend("force", vim.lsp.util.make_position_params(), more or {})
    local answers = vim.lsp.buf_request_sync(buffer, method, params, 10000)
    return answers and answers[client] and answers[client].result
end

-- Puts the cursor on the first place of a text.
local function go(text)
    vim.fn.cursor(1, 1)
    vim.fn.search("\\V" .. text, "c")
end

-- Every spec of the repository is without errors: open all of them, as a user might.
local count, wrong = 0, {}
for _, path in ipairs(vim.fn.glob("specs/**/*.coe", false, true)) do
    local buffer = open(path)
    count = count + 1
    for _, one in ipairs(vim.diagnostic.get(buffer, { severity = vim.diagnostic.severity.ERROR })) do
        table.insert(wrong, path .. ": " .. one.message)
    end
end
check("diagnostics of " .. count .. " specs", count > 30 and #wrong == 0, wrong)

vim.fn.writefile({ "model a {", "  dim = 64", "  ffn = coe(iter=2, k=9, experts=8)", "}" }, "broken.coe")
local broken = open("broken.coe")
vim.wait(10000, function() return #vim.diagnostic.get(broken) > 0 end, 5)
local said = vim.diagnostic.get(broken)
check("an error has its code and its place", #said == 1 and said[1].code == "coec::verify::k_exceeds_experts"
    and said[1].lnum == 2 and said[1].col == 22, said)

-- Typing mends it, and the diagnostic goes.
vim.api.nvim_buf_set_text(broken, 2, 22, 2, 23, { "4" })
vim.wait(10000, function() return #vim.diagnostic.get(broken) == 0 end, 5)
check("a change is heard of", #vim.diagnostic.get(broken) == 0, vim.diagnostic.get(broken))

go("iter")
local hover = ask(broken, "textDocument/hover")
check("hover", hover and hover.contents.value:find("One more, `ffn.iter = 3`", 1, true) ~= nil, hover)

vim.api.nvim_buf_set_text(broken, 2, 34, 2, 34, { ", re" })
vim.fn.cursor(3, 39)
local items = ask(broken, "textDocument/completion") or {}
local labels = vim.tbl_map(function(item) return item.label end, items)
check("completion", vim.tbl_contains(labels, "residual") and not vim.tbl_contains(labels, "iter"), labels)
vim.api.nvim_buf_set_text(broken, 2, 34, 2, 38, { "" })

local edits = ask(broken, "textDocument/formatting", { options = { tabSize = 4, insertSpaces = true } })
vim.lsp.util.apply_text_edits(edits or {}, broken, "utf-16")
local lines = vim.api.nvim_buf_get_lines(broken, 0, -1, false)
check("formatting", lines[2] == "    dim = 64" and lines[3] == "    ffn = coe(iter=2, k=4, experts=8)", lines)

local symbols = ask(broken, "textDocument/documentSymbol") or {}
check("symbols", #symbols == 1 and symbols[1].name == "a", symbols)

vim.lsp.stop_client(client)
vim.cmd(failed and "cquit 1" or "quitall!")
