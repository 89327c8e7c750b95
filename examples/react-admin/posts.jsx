import {
  BooleanField, BooleanInput, Create, DataTable, DateField, DateInput, Edit, List, NumberInput, ReferenceManyField, required,
  SearchInput, SelectInput, SimpleForm, TextInput,
} from 'react-admin';

const categories = ['books', 'food', 'travel'];

const filters = [
  <SearchInput source="q" alwaysOn />,
  <SelectInput source="category" choices={categories} alwaysOn />,
  <NumberInput source="views_gte" label="Views, at least" />,
  <BooleanInput source="published" />,
];

export const PostList = () => (
  <List filters={filters} sort={{ field: 'date', order: 'DESC' }}>
    <DataTable>
      <DataTable.Col source="title" />
      <DataTable.Col source="author" />
      <DataTable.Col source="category" />
      <DataTable.NumberCol source="views" />
      <DataTable.Col source="date" field={DateField} />
      <DataTable.Col source="published" field={BooleanField} />
    </DataTable>
  </List>
);

const fields = [
  <TextInput source="title" validate={required()} key="title" />,
  <TextInput source="author" key="author" />,
  <SelectInput source="category" choices={categories} key="category" />,
  <DateInput source="date" key="date" />,
  <NumberInput source="views" key="views" />,
  <BooleanInput source="published" key="published" />,
  <TextInput source="body" multiline key="body" />,
];

export const PostCreate = () => (
  <Create redirect="list">
    <SimpleForm defaultValues={{ views: 0, published: false }}>{fields}</SimpleForm>
  </Create>
);

// Pessimistic: the page waits for shelf's answer.
export const PostEdit = () => (
  <Edit mutationMode="pessimistic">
    <SimpleForm>
      {fields}
      <ReferenceManyField reference="comments" target="postId" label="Comments">
        <DataTable bulkActionButtons={false}>
          <DataTable.Col source="name" />
          <DataTable.Col source="body" />
        </DataTable>
      </ReferenceManyField>
    </SimpleForm>
  </Edit>
);
